"""What Sandgate promises. Each is carried by at least one test (`@pytest.mark.promise("id")`), or says why not yet.

`source` is the section of the design that makes the promise; `pending` is the honest word where no test can carry it
here yet, and the README's table repeats it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Promise:
    id: str
    sentence: str
    source: str
    pending: str = ""


PROMISES = (
    Promise("call.permit", "No call runs unjudged: a sandbox accepts only a permit.", "1.1"),
    Promise("call.frozen", "What was judged is what runs: the same frozen object, recorded before it starts.", "1.4"),
    Promise("policy.default_deny", "What no rule understands is denied.", "1.2"),
    Promise("policy.error_is_deny", "A policy engine that is down, slow or wrong means no.", "1.2"),
    Promise("policy.strictest_wins", "Of all rules that speak, the strictest wins.", "5"),
    Promise(
        "policy.kernel", "Where a command may write and what it may run, the kernel holds in scripts as well.", "5"
    ),
    Promise("audit.written_first", "A call whose first audit line cannot be written does not happen.", "1.2"),
    Promise("audit.chain", "A changed, cut or reordered audit line is found.", "8"),
    Promise("audit.recovered", "A crash in the middle of an audit line is recovered and said.", "8"),
    Promise("audit.exported", "What is not sent on of the audit is said in it, and no call waits for it.", "8"),
    Promise("audit.masked", "No audit line holds the value of a secret.", "1.6"),
    Promise("egress.only_gate", "Nothing leaves a sandbox but through the gate.", "1.3"),
    Promise("egress.start_refused", "The gate refuses until it has been told what to allow, and when it fails.", "1.2"),
    Promise("egress.names_agree", "CONNECT name, SNI, Host and target agree, or nothing is dialled.", "7"),
    Promise("egress.no_private", "Private, loopback, link-local and metadata addresses are out of reach.", "7"),
    Promise("egress.refusal_explains", "A refused request reads why, also over TLS.", "7"),
    Promise("egress.neighbours", "A sandbox that storms the gate waits behind itself, and its neighbours do not.", "7"),
    Promise("egress.gate_dies_with_server", "No gate outlives its server.", "1.9"),
    Promise("session.alone", "One session never sees another, and no sandbox is used twice.", "1.5"),
    Promise("sandbox.powerless", "A command has no capability, no root, and no reach into its agent.", "6"),
    Promise("sandbox.survives", "Bombs and storms of one command neither stop the agent nor hide from it.", "6"),
    Promise(
        "sandbox.disk", "A sandbox that fills its share of the disk is stopped and told so; its neighbours go on.", "6"
    ),
    Promise("files.handle", "The file that was judged is the file that is used.", "6"),
    Promise("workspace.checked", "Only folders that pass every check are lent to a sandbox.", "6"),
    Promise(
        "workspace.rw",
        "In a writable folder, what a host runs by itself is read-only or moved aside, as far as it is found.",
        "6",
    ),
    Promise("workspace.copy", "A copied folder's host is changed by what a person applies, and by nothing else.", "6"),
    Promise("caller.known", "Over HTTP nobody calls without a good token, and nobody sees what is another's.", "8"),
    Promise("anomaly.held", "What is unusual is recorded, and asked about or frozen until a person releases it.", "8"),
    Promise("managed.ceiling", "What the managed settings name, no other file, variable, flag or call widens.", "8"),
    Promise("limits.fair", "A caller's flood waits behind itself, and is told when to try again.", "8"),
    Promise("approval.bound", "A person's yes is good for exactly the call that was shown, and for no other.", "8"),
    Promise(
        "page.theirs", "On the page each sees what is theirs or their role's, and nobody answers for themselves.", "8"
    ),
    Promise("page.text", "Nothing that a sandbox or an agent says becomes markup, or hides, on the page.", "8"),
    Promise("refusal.teaches", "A refusal names its rule, its reason and what would be allowed.", "1.7"),
    Promise("result.truthful", "How a command ended is told as it was; what is cut is counted.", "1.8"),
    Promise("nothing.left", "No container, process, socket or gate outlives its owner, whatever died first.", "1.9"),
    Promise("weakening.said", "Every weakening is a sentence at start and in doctor.", "1.10"),
    Promise(
        "secrets.outside",
        "Secrets never enter a sandbox.",
        "1.6",
    ),
)
