"""What this az's own parser takes: prints [command, [the names of an option, ...]], a line a command, of the groups named."""

import argparse
import json
import os
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


def print_options(command):
    try:
        invoker().execute([*command.split(), "--help"])
    except Parsed as parsed:
        print(json.dumps([command, options_of(parsed.args[0], command)]), flush=True)


def aside(run):
    """In a process of its own: what one command loads leaves traces in the options of the next."""
    child = os.fork()
    if child == 0:
        run()
        os._exit(0)
    os.waitpid(child, 0)


cli = get_default_cli()
if sys.argv[1] == "--names":
    print(json.dumps(sorted(invoker().commands_loader.load_command_table(None))))
else:
    # az builds the parser of one command at a time, and only when it is about to run it.
    cli.register_event(EVENT_INVOKER_CMD_TBL_LOADED, stop)
    listed = subprocess.run([sys.executable, __file__, "--names"], check=True, capture_output=True)
    for name in json.loads(listed.stdout):
        if name.split()[0] in sys.argv[1:]:
            aside(lambda: print_options(name))
