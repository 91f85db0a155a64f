"""Pictures for the chats, drawn from typed values; each comes with the same facts in words.

They are drawn with Pillow: it brings its own type (Aileron, for Latin letters), takes 20 MB and
a twentieth of a second to load. A plotting library would bring axes and many scripts' letters,
at five times the size, a second to load and a cache that it writes, where a service that may
write nothing has no room for one. So no names stand in a picture but client IPs, which need no
other letters: whom it is about is said by the card around it and by the words that go with it.
"""
