"""The table of commands: their names, their arguments, and their help in English and Khmer.

It refuses to import what the commands do: it names it. The command line parses with it, and a test reads it to see that
every command has help, an example and a Khmer line.
"""

import argparse
from typing import Any, Final

from spean import (
    __version__,
    usage_adapter,
    usage_archive,
    usage_contract,
    usage_crosswalk,
    usage_evidence,
    usage_outbox,
    usage_publishing,
    usage_sandbox,
    usage_servers,
    usage_subscription,
)
from spean.usage_access import client_arguments, report_arguments
from spean.usage_log import export_arguments, list_arguments, show_arguments
from spean.usage_model import Command, Group
from spean.usage_verify import verify_arguments

__all__ = ["COMMANDS", "GROUPS", "Command", "Group", "build_parser"]

GROUPS: Final = (
    Group("authority", "a certification authority for pilots and tests", "អាជ្ញាធរបញ្ជាក់វិញ្ញាបនបត្រ សម្រាប់សាកល្បង"),
    Group("central", "the governing authority's central server", "ម៉ាស៊ីនមេកណ្ដាលរបស់អាជ្ញាធរគ្រប់គ្រង"),
    Group("node", "an institution's security server", "ម៉ាស៊ីនមេសុវត្ថិភាពរបស់ស្ថាប័ន"),
    Group("log", "the message log: who asked whom for what, and the proof of it", "កំណត់ហេតុសារ៖ អ្នកណាសួរអ្វី និងភស្តុតាង"),
    Group("archive", "archives of the message log, linked to one another", "បណ្ណសារកំណត់ហេតុសារ ដែលតភ្ជាប់គ្នា"),
    Group(
        "contract", "the shared data standard: records, code lists, examples", "ស្តង់ដារទិន្នន័យរួម៖ កំណត់ត្រា បញ្ជីកូដ និងឧទាហរណ៍"
    ),
    Group("adapter", "a programme's data in the shared standard", "ទិន្នន័យកម្មវិធី តាមស្តង់ដាររួម"),
    Group("crosswalk", "which numbers of which registries are one person", "លេខណា នៅបញ្ជីណា ជារបស់បុគ្គលតែម្នាក់"),
    Group("outbox", "what an adapter has to tell others", "អ្វីដែលអាដាប់ទ័រត្រូវជូនដំណឹងដល់អ្នកដទៃ"),
    Group("subscription", "who is told of changes, and questions answered later", "ការជាវព្រឹត្តិការណ៍ និងសំណួរឆ្លើយតាមក្រោយ"),
    Group("sandbox", "a whole instance on this computer", "ប្រព័ន្ធសាកល្បងទាំងមូល លើកុំព្យូទ័រនេះ"),
)

COMMANDS: Final = (
    Command(
        ("authority", "init"),
        "spean.commands.authority_init:run",
        "make a certification authority, OCSP responder and time-stamping authority",
        "បង្កើតអាជ្ញាធរបញ្ជាក់វិញ្ញាបនបត្រថ្មី",
        ("spean authority init authority --name 'Pilot CA' --url http://ca.example.test:8888",),
        usage_servers.authority_init,
    ),
    Command(
        ("authority", "run"),
        "spean.commands.authority_run:run",
        "serve OCSP answers and time-stamps until stopped",
        "ដំណើរការសេវា OCSP និងត្រាពេលវេលា",
        ("spean authority run authority --listen 0.0.0.0:8888",),
        usage_servers.authority_run,
    ),
    Command(
        ("authority", "sign"),
        "spean.commands.authority_sign:run",
        "issue the certificate that a request asks for",
        "ចេញវិញ្ញាបនបត្រតាមសំណើ",
        ("spean authority sign authority mop-auth.csr --usage auth --out mop-auth.pem",),
        usage_servers.authority_sign,
    ),
    Command(
        ("authority", "revoke"),
        "spean.commands.authority_revoke:run",
        "revoke a certificate: servers stop trusting it when they next ask",
        "ដកហូតវិញ្ញាបនបត្រ",
        ("spean authority revoke authority mop-auth.pem",),
        usage_servers.authority_revoke,
    ),
    Command(
        ("central", "init"),
        "spean.commands.central_init:run",
        "write a CENTRAL.toml to start from, and the signing key and anchor",
        "បង្កើតការកំណត់ដំបូងរបស់ម៉ាស៊ីនមេកណ្ដាល",
        ("spean central init CENTRAL.toml --instance KH-PILOT --authority authority-public",),
        usage_servers.central_init,
    ),
    Command(
        ("central", "run"),
        "spean.commands.central_run:run",
        "sign and distribute the global configuration until stopped",
        "ដំណើរការម៉ាស៊ីនមេកណ្ដាល",
        ("spean central run CENTRAL.toml",),
        usage_servers.central,
    ),
    Command(
        ("node", "init"),
        "spean.commands.node_init:run",
        "write a NODE.toml and make the token that will hold the node's keys",
        "បង្កើតការកំណត់ និងកន្លែងរក្សាសោរបស់ម៉ាស៊ីនមេ",
        ("spean node init NODE.toml --server KH-PILOT/GOV/MOP/SS1 --anchor anchor.xml",),
        usage_servers.node_init,
    ),
    Command(
        ("node", "request"),
        "spean.commands.node_request:run",
        "make a key and the certificate request for it",
        "បង្កើតសោ និងសំណើសុំវិញ្ញាបនបត្រ",
        ("spean node request NODE.toml --usage sign --organisation 'Ministry of Planning' --out mop-sign.csr",),
        usage_servers.node_request,
    ),
    Command(
        ("node", "import"),
        "spean.commands.node_import:run",
        "put an issued certificate beside its key",
        "នាំចូលវិញ្ញាបនបត្រដែលបានចេញ",
        ("spean node import NODE.toml mop-sign.pem",),
        usage_servers.node_import,
    ),
    Command(
        ("node", "run"),
        "spean.commands.node_run:run",
        "run the security server until stopped",
        "ដំណើរការម៉ាស៊ីនមេសុវត្ថិភាព",
        ("spean node run NODE.toml", "spean node run mop/NODE.toml nssf/NODE.toml"),
        usage_servers.nodes,
    ),
    Command(
        ("node", "apply"),
        "spean.commands.node_apply:run",
        "make the node's clients, services and access rights those of a file",
        "កំណត់អតិថិជន សេវា និងសិទ្ធិចូលប្រើ តាមឯកសារ",
        ("spean node apply NODE.toml SERVICES.toml", "spean node apply SERVICES.toml"),
        usage_servers.node_apply,
    ),
    Command(
        ("node", "export"),
        "spean.commands.node_export:run",
        "write the node's clients, services and access rights as a file",
        "សរសេរអតិថិជន សេវា និងសិទ្ធិចូលប្រើ ទៅជាឯកសារ",
        ("spean node export NODE.toml --out SERVICES.toml",),
        usage_servers.node_export,
    ),
    Command(
        ("log", "list"),
        "spean.commands.log_list:run",
        "find records of messages: newest first, a page at a time",
        "ស្វែងរកកំណត់ត្រាសារ ពីថ្មីទៅចាស់ ម្ដងមួយទំព័រ",
        (
            "spean log list NODE.toml --client KH-PILOT/GOV/NSAF/FAMILY-PACKAGE",
            "spean log list NODE.toml --from 2026-07-01 --outcome failed --format json",
        ),
        list_arguments,
    ),
    Command(
        ("log", "show"),
        "spean.commands.log_show:run",
        "show one record: headers, signer, time-stamp, and how its body is kept",
        "បង្ហាញកំណត់ត្រាមួយ៖ អ្នកចុះហត្ថលេខា ត្រាពេលវេលា និងខ្លឹមសារ",
        ("spean log show NODE.toml 42", "spean log show NODE.toml 42 --body body.json"),
        show_arguments,
    ),
    Command(
        ("log", "export"),
        "spean.commands.log_export:run",
        "write all records that fit, without bodies, for a spreadsheet or a program",
        "សរសេរកំណត់ត្រាទាំងអស់ដែលត្រូវគ្នា ដោយគ្មានខ្លឹមសារ ទៅជាឯកសារ",
        ("spean log export NODE.toml --from 2026-07-01 --to 2026-08-01 --out july.csv",),
        export_arguments,
    ),
    Command(
        ("log", "prove"),
        "spean.commands.log_prove:run",
        "write the proof that a record is in the log, for offline verification",
        "សរសេរភស្តុតាងថាកំណត់ត្រាមួយស្ថិតក្នុងកំណត់ហេតុ",
        ("spean log prove NODE.toml 42 --out proof-42.json",),
        usage_evidence.prove_arguments,
    ),
    Command(
        ("log", "check"),
        "spean.commands.log_check:run",
        "find every record that was changed, removed, inserted or reordered",
        "ស្វែងរកកំណត់ត្រាដែលត្រូវបានកែប្រែ លុប បន្ថែម ឬប្ដូរលំដាប់",
        ("spean log check NODE.toml", "spean log check NODE.toml proof-42.json"),
        usage_evidence.check_arguments,
    ),
    Command(
        ("log", "key"),
        "spean.commands.log_key:run",
        "show who can read encrypted bodies, copy the log key, add an auditor",
        "បង្ហាញអ្នកដែលអាចអានខ្លឹមសារ ចម្លងសោ ឬបន្ថែមសវនករ",
        (
            "spean log key NODE.toml show",
            "spean log key NODE.toml export --out log-key.p12 --password-file password.txt",
            "spean log key NODE.toml add-auditor --key auditor.pem",
        ),
        usage_evidence.key_arguments,
    ),
    Command(
        ("archive", "run"),
        "spean.commands.archive_run:run",
        "archive what waits, once, and remove what was archived long ago",
        "រក្សាទុកកំណត់ត្រាដែលរង់ចាំ ក្នុងបណ្ណសារ ម្ដង",
        ("spean archive run NODE.toml",),
        usage_servers.node,
    ),
    Command(
        ("archive", "verify"),
        "spean.commands.archive_verify:run",
        "say whether archives are whole, unchanged and linked",
        "ផ្ទៀងផ្ទាត់ថាបណ្ណសារពេញលេញ មិនផ្លាស់ប្ដូរ និងតភ្ជាប់គ្នា",
        ("spean archive verify archives", "spean archive verify mlog-1.zip mlog-2.zip"),
        usage_archive.verify_arguments,
    ),
    Command(
        ("archive", "open"),
        "spean.commands.archive_open:run",
        "take the signed documents out, with encrypted bodies when a key is given",
        "យកឯកសារដែលបានចុះហត្ថលេខាចេញ ព្រមទាំងខ្លឹមសារដែលបានអ៊ិនគ្រីប",
        ("spean archive open mlog-1.zip --key auditor-key.pem --out documents",),
        usage_archive.open_arguments,
    ),
    Command(
        ("verify",),
        "spean.commands.verify:run",
        "say whether signed documents hold: who signed what, and when",
        "ផ្ទៀងផ្ទាត់ឯកសារដែលបានចុះហត្ថលេខា៖ នរណា អ្វី និងពេលណា",
        (
            "spean verify id-request-1.asice id-response-2.asice --conf verificationconf.zip",
            "spean verify evidence/a.asice evidence/b.asice --conf verificationconf --json --extract messages",
        ),
        verify_arguments,
    ),
    *usage_contract.COMMANDS,
    Command(
        ("adapter", "new"),
        "spean.commands.adapter_new:run",
        "start an adapter's folder from a database, a JSON answer or a spreadsheet",
        "ចាប់ផ្ដើមថតអាដាប់ទ័រថ្មី ពីមូលដ្ឋានទិន្នន័យ JSON ឬតារាង",
        (
            "spean adapter new pupils --from-sql url.txt --table pupil",
            "spean adapter new meals --from-xlsx meals.xlsx --contract cambodia/school-feeding",
        ),
        usage_adapter.new_arguments,
    ),
    Command(
        ("adapter", "check"),
        "spean.commands.adapter_check:run",
        "say all that is open in an adapter's files, and in its data",
        "ពិនិត្យអ្វីដែលនៅខ្វះក្នុងឯកសារ និងទិន្នន័យរបស់អាដាប់ទ័រ",
        ("spean adapter check ADAPTER.yaml", "spean adapter check ADAPTER.yaml --against-data"),
        usage_adapter.check_arguments,
    ),
    Command(
        ("adapter", "try"),
        "spean.commands.adapter_try:run",
        "show one record before and after, with the rule behind each value",
        "បង្ហាញកំណត់ត្រាមួយ មុន និងក្រោយ ព្រមទាំងវិធាននៃតម្លៃនីមួយៗ",
        (
            "spean adapter try ADAPTER.yaml record.json",
            "spean adapter try ADAPTER.yaml --id-file id.txt",
            "spean adapter try ADAPTER.yaml --write sent.json",
        ),
        usage_adapter.try_arguments,
    ),
    Command(
        ("adapter", "conflicts"),
        "spean.commands.adapter_conflicts:run",
        "list what both a sender and your staff changed, and decide about one",
        "បង្ហាញអ្វីដែលទាំងអ្នកផ្ញើ និងបុគ្គលិកបានកែ ហើយសម្រេចលើមួយ",
        (
            "spean adapter conflicts ADAPTER.yaml --values",
            "spean adapter conflicts ADAPTER.yaml --decide 42 sent",
        ),
        usage_adapter.conflicts_arguments,
    ),
    Command(
        ("adapter", "export"),
        "spean.commands.adapter_export:run",
        "write a whole registry in the shared standard, whatever its size",
        "សរសេរបញ្ជីទាំងមូលតាមស្តង់ដាររួម",
        ("spean adapter export ADAPTER.yaml --service household --out households.jsonl",),
        usage_adapter.export_arguments,
    ),
    Command(
        ("adapter", "serve"),
        "spean.commands.adapter_serve:run",
        "answer the shared standard's searches from a programme's own data",
        "ឆ្លើយសំណួរតាមស្តង់ដាររួម ពីទិន្នន័យកម្មវិធី",
        ("spean adapter serve ADAPTER.yaml", "spean adapter serve idpoor.yaml nssf.yaml"),
        usage_servers.adapters,
    ),
    Command(
        ("adapter", "client"),
        "spean.commands.adapter_client:run",
        "let a client ask an adapter without the bus: make it a secret",
        "អនុញ្ញាតឱ្យអតិថិជនសួរអាដាប់ទ័រដោយមិនឆ្លងកាត់ស្ពាន",
        ("spean adapter client clients.yaml backend-1 --client KH/GOV/NSAF/FAMILY --secret-file backend-1.secret",),
        client_arguments,
    ),
    *usage_publishing.COMMANDS,
    *usage_outbox.COMMANDS,
    *usage_subscription.COMMANDS,
    *usage_crosswalk.COMMANDS,
    Command(
        ("access-report",),
        "spean.commands.access_report:run",
        "answer a citizen: who looked at my data, when, why, and at what",
        "ឆ្លើយតបប្រជាពលរដ្ឋ៖ នរណាបានមើលទិន្នន័យខ្ញុំ ពេលណា ហេតុអ្វី និងមើលអ្វី",
        (
            "spean access-report --spid - --sandbox sandbox",
            "spean access-report --id KHM_ID:- ADAPTER.yaml --lang km",
            "spean access-report --id LOCAL_ID@idpoor:- --id LOCAL_ID@mosvy-disability:- --sandbox sandbox",
        ),
        report_arguments,
    ),
    Command(
        ("sandbox", "up"),
        "spean.commands.sandbox_up:run",
        "run a whole instance until Ctrl-C; an existing folder is resumed",
        "ដំណើរការប្រព័ន្ធសាកល្បងទាំងមូល រហូតដល់ចុច Ctrl-C",
        ("spean sandbox up", "spean sandbox up --full --dir sandbox --base-port 18000"),
        usage_sandbox.up_arguments,
    ),
    Command(
        ("sandbox", "demo"),
        "spean.commands.sandbox_demo:run",
        "show a query crossing the bus, step by step, and end by itself",
        "បង្ហាញសំណួរឆ្លងកាត់ស្ពាន ម្ដងមួយជំហាន",
        ("spean sandbox demo", "spean sandbox demo --story once-only", "spean sandbox demo --dir sandbox"),
        usage_sandbox.demo_arguments,
    ),
)

_ABOUT: Final = """\
Spean: a data-exchange bus for Cambodia's social-protection institutions.
ស្ពាន៖ ប្រព័ន្ធផ្លាស់ប្ដូរទិន្នន័យ សម្រាប់ស្ថាប័នគាំពារសង្គមនៅកម្ពុជា។"""

_START_HERE: Final = """\
start here:
  spean sandbox demo         see the bus at work, on this computer
  spean GROUP --help         the commands of one group
  spean GROUP COMMAND --help one command, with examples"""


class _Parser(argparse.ArgumentParser):
    """Keeps the line breaks of its texts: the Khmer line and the examples stand on their own."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse passes its own options on
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line; a parsed command has ``handler`` set to its ``module:function``."""
    parser = _Parser(prog="spean", description=_ABOUT, epilog=_START_HERE)
    parser.add_argument("--version", action="version", version=f"spean {__version__}")
    groups = parser.add_subparsers(title="groups", metavar="GROUP", required=True, parser_class=_Parser)
    for group in GROUPS:
        about = f"{group.summary[0].upper()}{group.summary[1:]}.\n{group.khmer}"
        inner = groups.add_parser(group.word, help=group.summary, description=about)
        commands = inner.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
        for command in COMMANDS:
            if command.words[0] == group.word:
                _add_command(commands, command)
    for command in COMMANDS:
        if len(command.words) == 1:
            _add_command(groups, command)
    return parser


def _add_command(commands: "argparse._SubParsersAction[_Parser]", command: Command) -> None:
    examples = "\n".join(f"  {example}" for example in command.examples)
    parser = commands.add_parser(
        command.words[-1],
        help=command.summary,
        description=f"{command.summary[0].upper()}{command.summary[1:]}.\n{command.khmer}",
        epilog=f"examples:\n{examples}",
    )
    parser.set_defaults(handler=command.handler)
    command.add(parser)
