"""What this az's own parser takes: prints {command: [the names of an option, ...]} of the command groups named."""

import argparse
import json
import subprocess
import sys

from azure.cli.core import get_default_cli
from knack.events import EVENT_INVOKER_CMD_TBL_LOADED


class Parsed(Exception):
    pass


def stop(_cli, parser, **_rest):
    raise Parsed(parser)


def invoker():
    made = cli.invocation_cls(
        cli_ctx=cli, parser_cls=cli.parser_cls, commands_loader_cls=cli.commands_loader_cls, help_cls=cli.help_cls
    )
    cli.invocation = made
    return made


def options_of(parser, command):
    for word in command.split():
        [choices] = [one.choices for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        parser = choices[word]
    return [one.option_strings for one in parser._actions if one.option_strings and one.help != argparse.SUPPRESS]


cli = get_default_cli()
# az builds the parser of one command at a time, and only when it is about to run it.
cli.register_event(EVENT_INVOKER_CMD_TBL_LOADED, stop)
if sys.argv[1] == "--names":
    print(json.dumps(sorted(invoker().commands_loader.load_command_table(None))))
    sys.exit()
# In a process of its own: a table with everything in it has options that a command alone does not have.
names = json.loads(subprocess.run([sys.executable, __file__, "--names"], check=True, capture_output=True).stdout)
found = {}
for command in names:
    if command.split()[0] not in sys.argv[1:]:
        continue
    try:
        cli.data["command"] = None
        invoker().execute([*command.split(), "--help"])
    except Parsed as parsed:
        found[command] = options_of(parsed.args[0], command)
print(json.dumps(found))
