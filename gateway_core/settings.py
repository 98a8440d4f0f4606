"""What an operator sets before start, as far as the core is concerned. Typed, frozen, described once."""

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A section of the settings file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(Section):
    url: str = Field(
        "sqlite:///var/mailgate.db",
        description="sqlite:///FILE or postgresql+psycopg://user:secret@host/db",
    )


class QueueSettings(Section):
    url: str = Field(
        "embedded",
        pattern="^embedded$",
        description="`embedded`: jobs are hints inside the process (other queues come later)",
    )
