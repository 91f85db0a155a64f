"""What chats see and say: cards, commands, Slack, the demo. Decides nothing about mail."""
