"""Who is asked: what a model is, which abilities it may have, and how `-m provider/name` finds one.

Belongs here: the abilities as protocols, model names, arguments, and the refusal of a model that lacks an ability.
Does not belong here: any provider (each is a file of this folder; the file name is the prefix).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from gnomon.asks import (
    Ask,
    Completion,
    Failed,
    Highlighted,
    Passage,
    Prompt,
    Reading,
    Scored,
    StateLayout,
    States,
)
from gnomon.errors import AbilityError, UsageError
from gnomon.registry import Registry, did_you_mean, unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "ABILITIES",
    "Arguments",
    "Fills",
    "Generates",
    "Highlights",
    "Learns",
    "Model",
    "ModelName",
    "Nested",
    "Provider",
    "Represents",
    "Scores",
    "Told",
    "Untrained",
    "abilities",
    "load_model",
    "providers",
    "require",
]

Answers = list[tuple[int, Scored | Failed]]
Completions = list[tuple[int, Completion | Failed]]
Highlightings = list[tuple[int, Highlighted | Failed]]
Representations = list[tuple[int, States | Failed]]
Best = int | str | tuple[tuple[int, int], ...]


@runtime_checkable
class Model(Protocol):
    """What every model has. Making one reads names and settings only; weights are loaded when work begins."""

    name: str
    """As typed, for example "hf/gpt2"."""

    def fingerprint(self) -> str:
        """A hash of all that can change a number: provider, weights, tokenizer, dtype, settings. Equal only for equal
        models."""
        ...

    def facts(self) -> dict[str, str]:
        """What a reader of a result wants to know of the model; plain text, ready to be shown."""
        ...


@runtime_checkable
class Scores(Protocol):
    """The ability to give log-probabilities of continuations."""

    context_length: int | None
    """Most tokens that the model sees at once; None where there is no limit."""

    def score(self, asks: Sequence[Ask], skip: Callable[[int], bool]) -> Iterator[Answers]:
        """Yield (index into `asks`, answer) in batches, every index that is not skipped exactly once.

        How asks share a computation depends on `asks` alone, never on `skip`, so that an interrupted run gives the
        same numbers.
        """
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, start token included."""
        ...


@runtime_checkable
class Generates(Protocol):
    """The ability to go on with a text."""

    context_length: int | None
    """Most tokens that the model sees at once, its own included; None where there is no limit."""

    def generate(self, prompts: Sequence[Prompt], skip: Callable[[int], bool]) -> Iterator[Completions]:
        """Yield (index into `prompts`, completion) as they are done, every index that is not skipped exactly once.

        A completion depends on its own prompt, decoding and seed alone, never on its company, up to the rounding of
        sums.
        """
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, start token included."""
        ...


@runtime_checkable
class Highlights(Protocol):
    """The ability to find the spans of a passage that answer a question."""

    def highlight(self, passages: Sequence[Passage], skip: Callable[[int], bool]) -> Iterator[Highlightings]:
        """Yield (index into `passages`, spans) as they are done, every index that is not skipped exactly once."""
        ...


@runtime_checkable
class Learns(Protocol):
    """The ability to be taught: a trainable copy with a head for two classes, or one that writes."""

    def pupil(self, method: str, seed: int, start: str, rank: int, writes: bool = False) -> Any:
        """A `Pupil` (see `gnomon/models/_pupil.py`), fresh from the model's own weights; with `writes` a `Scribe`.

        `method` is "full" or "lora"; `start` is "unembedding" (the head begins with the output rows of "0" and "1",
        where the model has some) or "zero"; `seed` is that of adapters, `rank` theirs. Raises ModelError for a model
        that cannot be taught, or cannot be taught to write.
        """
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, start token included."""
        ...


@runtime_checkable
class Represents(Protocol):
    """The ability to show its hidden states."""

    def layout(self) -> StateLayout:
        """What its states look like; reads no weights."""
        ...

    def represent(self, readings: Sequence[Reading], skip: Callable[[int], bool]) -> Iterator[Representations]:
        """Yield (index into `readings`, states) as they are done, every index that is not skipped exactly once.

        States depend on their own reading alone, up to the rounding of sums. A reading whose states are not finite is
        a `Failed` that names the layer and the answer; so is one whose answer alone is longer than the model reads.
        """
        ...


@runtime_checkable
class Fills(Protocol):
    """The ability to say how probable each answer of a reading is in its place (masked language models)."""

    def fill(self, readings: Sequence[Reading], skip: Callable[[int], bool]) -> Iterator[Answers]:
        """Yield (index, `Scored`): for each answer the summed log-probability of its tokens, all of them masked."""
        ...


@runtime_checkable
class Untrained(Protocol):
    """The ability to be had with random weights: the control that shows what the architecture alone gives."""

    def untrained(self, seed: int) -> Model:
        """The same architecture and tokenizer with weights drawn from `seed`, as its family draws them."""
        ...


@runtime_checkable
class Nested(Protocol):
    """The ability to be read as a part of a deeper network: its first blocks, cut off after so many."""

    @property
    def depth(self) -> int:
        """Blocks."""
        ...

    @property
    def network(self) -> str:
        """What all cuts of one network that are read by one rule have in common, and no others."""
        ...

    def closed(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """What leaves the stack that is cut after a block, from states (n, width) after that block: normed, where the
        network ends in a norm. Raises ModelError where that cannot be told."""
        ...


@runtime_checkable
class Told(Protocol):
    """The ability to be told the right answers beforehand: a test's model, never a real one."""

    def tell(self, asks: Sequence[Ask | Prompt | Passage | Reading], best: Sequence[Best]) -> None:
        """Before work: what a perfect model answers, for everything that it will be asked, in that order.

        For an `Ask` or a `Reading` the index of the continuation or answer that is right, for a `Prompt` the text that
        it writes, for a `Passage` the (start, end) of every span that it highlights, none where there is no answer.
        """
        ...


@runtime_checkable
class Reports(Protocol):
    """The ability to say, after work, what it cost and what was unusual."""

    remarks: list[str]
    tokens_computed: int


ABILITIES: Mapping[str, tuple[type, str]] = {
    "score": (Scores, "give log-probabilities of continuations"),
    "generate": (Generates, "write text"),
    "highlight": (Highlights, "highlight spans of a text"),
    "represent": (Represents, "give hidden states"),
    "fill": (Fills, "fill in blanks"),
    "learn": (Learns, "be finetuned"),
}

_WHO_CAN = {
    "score": "Use a causal language model, for example  -m hf/<hub id or folder>  or  -m smollm2 .",
    "generate": "Use a causal language model, for example  -m hf/<hub id or folder>  or  -m smollm2 .",
    "highlight": "Use an extractive question-answering model, for example  -m hf/<folder of a checkpoint trained on "
    "SQuAD 2 or CUAD> , or ask a model that writes text with  --protocol quote .",
    "represent": "Use a model that runs here, for example  -m hf/<hub id or folder>  or  -m smollm2 .",
    "learn": "Use a model that runs here, for example  -m hf/<hub id or folder>  or  -m smollm2 .",
    "fill": "Use a masked language model, for example  -m hf/<hub id or folder of a BERT or RoBERTa> .",
}


def abilities(model: Model) -> list[str]:
    """Names of the abilities that `model` has.

    >>> abilities(load_model("mock/uniform"))
    ['score']
    """
    return [name for name, (protocol, _) in ABILITIES.items() if isinstance(model, protocol)]


def require(model: Model, ability: str, command: str) -> None:
    """Refuse, in one sentence, a `model` without `ability`; raises AbilityError that says which model would do."""
    protocol, words = ABILITIES[ability]
    if isinstance(model, protocol):
        return
    can = ", ".join(abilities(model)) or "nothing that gnomon asks for"
    raise AbilityError(
        f"model '{model.name}' cannot {words}, which '{command}' needs. It can: {can}.",
        hint=_WHO_CAN[ability],
    )


@dataclass(frozen=True)
class ModelName:
    """`provider/rest@key=value`, taken apart.

    >>> ModelName.parse("hf/EleutherAI/pythia-160m")
    ModelName(provider='hf', rest='EleutherAI/pythia-160m', settings={})
    >>> ModelName.parse("smollm2@layers=10").settings
    {'layers': '10'}
    """

    provider: str
    rest: str
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """Take `text` apart; raises UsageError where a setting has no value."""
        whole, _, tail = text.partition("@")
        provider, _, rest = whole.partition("/")
        settings = {}
        for part in filter(None, tail.split(",")):
            key, equals, value = part.partition("=")
            if not equals or not value:
                raise UsageError(f"'{part}' in the model name '{text}' is no setting.", hint="Write  NAME@layers=10 .")
            settings[key] = value
        return cls(provider, rest, settings)


class Arguments:
    """`-M` arguments of one provider: every key must be known and every value of its kind.

    >>> Arguments({"rate": "0.5"}, known=("rate", "seed"), who="mock").number("rate", 0.1, low=0, high=1)
    0.5
    >>> Arguments({"rat": "0.5"}, known=("rate", "seed"), who="mock")
    Traceback (most recent call last):
    gnomon.errors.UsageError: model argument 'rat' is not known to mock. Did you mean 'rate'? Known: rate, seed.
    """

    def __init__(self, given: Mapping[str, str], known: Sequence[str], who: str) -> None:
        for key in given:
            if key not in known:
                hint = " ".join(filter(None, [did_you_mean(key, known), f"Known: {', '.join(known) or 'none'}."]))
                raise UsageError(f"model argument '{key}' is not known to {who}.", hint=hint)
        self._given = dict(given)

    def text(self, key: str, default: str, allowed: Sequence[str] = ()) -> str:
        """The value of `key`, one of `allowed` where that is given."""
        value = self._given.get(key, default)
        if allowed and value not in allowed:
            raise UsageError(
                f"model argument {key}={value}: use one of {', '.join(allowed)}.", hint=did_you_mean(value, allowed)
            )
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """The value of `key` as a number from `low` to `high`."""
        try:
            value = float(self._given.get(key, default))
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise UsageError(f"model argument {key}={self._given[key]}: give a number from {low:,} to {high:,}.")
        return value

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """The value of `key` as a whole number from `low` to `high`."""
        value = self.number(key, default, low, high)
        if value != int(value):
            raise UsageError(f"model argument {key}={value:g}: give a whole number.")
        return int(value)


Provider = Callable[[ModelName, Mapping[str, str]], Model]

providers = Registry(kind="model provider", package="gnomon.models", attribute="provider", group="gnomon.models")


def load_model(name: str, arguments: Mapping[str, str] | None = None) -> Model:
    """The model called `name` (`provider/rest`), with `-M` arguments as text.

    Raises UsageError for an unknown provider or argument, ModelError for a model that is not there.

    >>> load_model("mock/uniform").name
    'mock/uniform'
    >>> load_model("mok")
    Traceback (most recent call last):
    gnomon.errors.UsageError: no model provider is named 'mok'. Did you mean 'mock'? Known: hf, mock, openai, smollm2.
    """
    parsed = ModelName.parse(name)
    known = providers.names()
    whole = name.partition("@")[0]
    owner = next((other for other in known if f"{whole}/".startswith(f"{other}/") and "/" in other), None)
    if owner:  # another package's provider is itself named distribution/name
        parsed = ModelName(owner, whole[len(owner) + 1 :], parsed.settings)
    elif parsed.provider not in known:
        hint = f" For a model of the hub or a folder, write  -m hf/{name} ." if "/" in name or "." in name else ""
        raise UsageError(str(unknown("model provider", parsed.provider, known)) + hint)
    provider: Provider = providers.load(parsed.provider)
    return provider(parsed, dict(arguments or {}))
