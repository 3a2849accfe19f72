#!/usr/bin/python3
"""The rooms (rooms.txt): what a room may include, and what its archive may be linked with.

rooms.py MAIN prints the rooms that the role with this main may be linked with.
"""
import pathlib
import sys

TABLE = pathlib.Path(__file__).with_name("rooms.txt")


class Rooms:
    def __init__(self):
        self.below, self.words, self.mains = {}, {}, {}
        for line in TABLE.read_text().splitlines():
            words = line.split("#")[0].split()
            if words and words[0].startswith("@"):
                self.mains[words[0][1:]] = words[1]
            elif words:
                self.below[words[0]] = [word for word in words[1:] if not word.endswith("*")]
                self.words[words[0]] = [word[:-1] for word in words[1:] if word.endswith("*")]

    def links(self, room):
        """The room and all that it stands on."""
        found, todo = [], [room]
        while todo:
            room = todo.pop()
            if room not in found:
                found.append(room)
                todo += self.below[room]
        return found

    def includes(self, room):
        """Where its files may include from: what is linked, and rooms of which only words are used."""
        links = self.links(room)
        return set(links) | {word for each in links for word in self.words[each]}


if __name__ == "__main__":
    rooms = Rooms()
    print(" ".join(rooms.links(rooms.mains[sys.argv[1]])))
