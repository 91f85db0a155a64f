"""What chats see and say: cards, commands, the chats, the demo. Decides nothing about mail."""
