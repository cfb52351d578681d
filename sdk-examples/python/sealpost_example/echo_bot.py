"""Answers each text with the same text."""

from .bot import Bot


def main(keystore):
    bot = Bot(keystore)

    def answer(incoming):
        print(incoming.sender, bot.reply(incoming, incoming.text), flush=True)

    bot.run(answer)
