"""The configuration file, flags and variables: what a conversation that is begun now would be given."""

from livechat.commands.doctor.finding import Finding, Subject


def settings(subject: Subject) -> Finding:
    """The configuration file, and flags and variables together. Raises ConfigError or UsageError."""
    used = subject.settings
    path = subject.config.path
    where = f"{path}, {len(subject.config.values)} settings" if path.exists() else "no configuration file"
    notes = "; ".join(note.message for note in used.warnings)
    remedy = "; ".join(note.hint for note in used.warnings if note.hint)
    return Finding("warn" if notes else "ok", f"{used.model}, {used.backend}", notes or where, remedy)
