"""`hf/<hub id or folder>`: any causal language model of transformers, on this machine.

Belongs here: finding, checking and loading the model and its tokenizer. Does not belong here: how scores are computed
(`_scorer.py`) and how texts are written (`_writer.py`).
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnomon.asks import Ask, Passage, Prompt, Reading, StateLayout
from gnomon.errors import ModelError, UsageError
from gnomon.models._files import fingerprint
from gnomon.models._layout import Reads, is_readable, layout_of
from gnomon.models._model import (
    Answers,
    Arguments,
    Completions,
    Highlightings,
    Model,
    ModelName,
    Representations,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gnomon.models._highlighter import Highlighter
    from gnomon.models._scorer import Scorer
    from gnomon.models._tokens import Encoder
    from gnomon.models._writer import Writer

ARGUMENTS = (
    "dtype",
    "device",
    "revision",
    "bos",
    "batch_tokens",
    "batch_rows",
    "prefix_sharing",
    "chat",
    "join",
    "read",
    "weights",
)
_DTYPES = ("auto", "float32", "bfloat16", "float16")


def provider(name: ModelName, arguments: Mapping[str, str]) -> Model:
    """The causal model at `name.rest`, a folder or a hub id. Reads its configuration, not its weights.

    `-M` arguments: dtype (auto: float32 on a CPU, else the checkpoint's), device (auto, cpu, cuda, cuda:1, mps, ...),
    revision, bos (auto, yes, no), batch_tokens (tokens in one pass), prefix_sharing (yes, no); for texts that are
    written: batch_rows (most at once), chat (no, yes: each prompt is a user's message in the model's chat template);
    for hidden states: join (newline, space: what a decoder reads between question and answer), read (last, eos: whose
    state). weights=random or random:SEED draws the weights in place of reading them.
    """
    if not name.rest:
        raise UsageError("'hf/' needs a hub id or a folder, for example  -m hf/EleutherAI/pythia-160m .")
    return open_model(f"hf/{name.rest}", name.rest, arguments, name.settings)


def open_model(shown: str, place: str, arguments: Mapping[str, str], settings: Mapping[str, str]) -> Model:
    """A model by folder or hub id, under the name that a user typed."""
    given = Arguments(arguments, ARGUMENTS, shown)
    config = _read_config(shown, place, given.text("revision", ""))
    for key, value in settings.items():
        if key != "layers":
            raise UsageError(f"'@{key}={value}' is no setting of {shown}.", hint="Known: layers (its first K layers).")
        config = _first_layers(shown, config, value)
    suffix = "".join(f"@{key}={value}" for key, value in settings.items())
    kind: type[_Other] = _Other
    if _is_causal(config):
        kind = _Causal
    elif _is_extractive(config):
        kind = _Extractive
    elif is_readable(config):
        kind = _Masked if _is_masked(config) else _Readable if config.is_encoder_decoder else _Encoder
    return kind(shown + suffix, place, config, given)


class _Other:
    """A model of another family: it can be named and described, and has none of the abilities."""

    def __init__(self, name: str, place: str, config: Any, given: Arguments) -> None:
        self.name = name
        self._place, self._config, self._given = place, config, given
        self._revision = given.text("revision", "")
        self._dtype = given.text("dtype", "auto", _DTYPES)
        self._bos = given.text("bos", "auto", ("auto", "yes", "no"))
        self._batch_tokens = given.whole("batch_tokens", 1024, 16, 1 << 20)
        self._batch_rows = given.whole("batch_rows", 1, 1, 1 << 16) if given.text("batch_rows", "") else None
        self._sharing = given.text("prefix_sharing", "yes", ("yes", "no")) == "yes"
        self._chat = given.text("chat", "no", ("no", "yes")) == "yes"
        self._reads = Reads(
            space=given.text("join", "newline", ("newline", "space")) == "space",
            end=given.text("read", "last", ("last", "eos")) == "eos",
        )
        self._random = _random_seed(given.text("weights", "given"), name)

    @cached_property
    def _device(self) -> str:
        import torch

        asked = self._given.text("device", "auto")
        if asked == "auto":
            if torch.cuda.is_available():
                own = os.environ.get("LOCAL_RANK", "")  # where several processes were started, each has one of its own
                return f"cuda:{own}" if own else "cuda"
            return "mps" if torch.backends.mps.is_available() else "cpu"
        try:
            torch.empty(0, device=asked)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(
                f"device '{asked}' cannot be used here: {_first_line(error)}",
                hint="Use  -M device=cpu , or see  gnomon doctor .",
            ) from error
        return asked

    def _torch_dtype(self) -> str:
        return "float32" if self._dtype == "auto" and self._device == "cpu" else self._dtype

    @cached_property
    def _weights(self) -> str:
        return fingerprint(self._place, self._revision)

    def fingerprint(self) -> str:
        return self._hash(layers=self._config.get_text_config().num_hidden_layers)

    def _hash(self, **more: Any) -> str:
        parts: dict[str, Any] = {
            "provider": "hf v1",
            "weights": self._weights,
            "dtype": self._torch_dtype(),
            "bos": self._bos,
            **more,
        }
        if self._chat:
            parts["chat"] = True
        if self._random is not None:
            parts["random weights"] = self._random
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def facts(self) -> dict[str, str]:
        text = self._config.get_text_config()
        return {
            "provider": "hf",
            "architecture": ", ".join(self._config.architectures or [self._config.model_type]),
            "layers": str(text.num_hidden_layers),
            "weights": self._weights[:16] if self._random is None else f"random, seed {self._random}",
            "dtype": self._torch_dtype(),
            "device": self._device,
        }


class _Readable(_Other):
    """A model whose hidden states can be read, by the rules of its family."""

    def layout(self) -> StateLayout:
        return layout_of(self._config, self._torch_dtype(), self._reads)

    def represent(self, readings: Sequence[Reading], skip: Callable[[int], bool]) -> Iterator[Representations]:
        yield from self._reader.represent(readings, skip)

    def untrained(self, seed: int) -> Model:
        """The same architecture and tokenizer with weights drawn from `seed`."""
        other = type(self)(f"{self.name}, random weights", self._place, copy.deepcopy(self._config), self._given)
        other._random = seed
        return other

    @property
    def remarks(self) -> list[str]:
        return [remark for engine in self._engines() for remark in engine.remarks]

    @property
    def tokens_computed(self) -> int:
        return sum(engine.tokens_computed for engine in self._engines())

    def _engines(self) -> list[Any]:
        """Those that have been needed so far."""
        names = ("_scorer", "_writer", "_reader", "_filler", "_highlighter")
        return [self.__dict__[name] for name in names if name in self.__dict__]

    @cached_property
    def _reader(self) -> Any:
        from gnomon.models._reader import EncoderReader, TwoStackReader
        from gnomon.models._reader_text import Liner

        tokenizer = _read_tokenizer(self.name, self._place, self._revision)
        liner = Liner.of(tokenizer, self._reads.limit(self._config, tokenizer))
        model = self._stack
        layout = self.layout()
        if self._config.is_encoder_decoder:
            return TwoStackReader(model, layout, liner, self.name, self._batch_tokens)
        decoder = self._reads.is_decoder(self._config)
        if decoder:
            liner = self._reads.ended(liner)
        return EncoderReader(model, layout, liner, self.name, self._batch_tokens, decoder, self._reads.space)

    @cached_property
    def _stack(self) -> Any:
        from transformers import AutoModel

        return self._load_as(AutoModel, heads=False)

    def _load_as(self, family: Any, heads: bool = True) -> Any:
        """The network: read from files, or drawn. Weights that the files lack are an error; of a network without its
        head (`heads` False), a pooler is not read and may lack."""
        import torch
        from safetensors import SafetensorError

        wanted = self._torch_dtype()
        dtype = "auto" if wanted == "auto" else getattr(torch, wanted)
        with _quiet():
            try:
                if self._random is not None:
                    with torch.random.fork_rng(devices=[]):
                        torch.manual_seed(self._random)
                        kind = {} if dtype == "auto" else {"dtype": dtype}
                        model = family.from_config(self._config, **kind)
                        loading: dict[str, Any] = {"missing_keys": []}
                else:
                    model, loading = family.from_pretrained(
                        self._place, config=self._config, dtype=dtype, output_loading_info=True, **_at(self._revision)
                    )
            except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
                raise ModelError(f"model '{self.name}' cannot be loaded: {_first_line(error)}") from error
        missing = sorted(key for key in loading["missing_keys"] if heads or "pooler" not in key)
        if missing:  # transformers fills them with random numbers and goes on
            raise ModelError(
                f"model '{self.name}' cannot be loaded: its files lack {len(missing)} weights, such as {missing[0]}."
            )
        return model.to(self._device).eval().requires_grad_(False)

    @cached_property
    def parameters(self) -> int:
        """Weights of the network without its output head, counted from the configuration."""
        import torch
        from transformers import AutoModel

        with torch.device("meta"), _quiet():
            return sum(one.numel() for one in AutoModel.from_config(self._config).parameters())


class _Encoder(_Readable):
    """An encoder; it can be taught."""

    def pupil(self, method: str, seed: int, start: str, rank: int, writes: bool = False) -> Any:
        """A trainable copy with a head that starts at zero: an encoder has no output rows for "0" and "1"."""
        from gnomon.models._pupil import Pupil
        from gnomon.models._reader_text import Liner

        if writes:
            raise ModelError(
                f"model '{self.name}' is an encoder, and cannot be taught to write.", hint="Use a causal model."
            )
        tokenizer = _read_tokenizer(self.name, self._place, self._revision)
        limit = self._reads.limit(self._config, tokenizer)
        liner = Liner.of(tokenizer, None)
        return Pupil(
            _copy(self._stack, method),
            lambda texts: [list(liner.single(text, "").ids) for text in texts],
            None,
            method,
            seed,
            self._reads.is_decoder(self._config),
            limit,
            rank,
        )

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        from gnomon.models._reader_text import Liner

        liner = Liner.of(_read_tokenizer(self.name, self._place, self._revision), None)
        return [len(liner.single(text, "").ids) for text in texts]


class _Masked(_Encoder):
    """An encoder with a masked-language-model head: it can say how probable an answer is in its place."""

    def fill(self, readings: Sequence[Reading], skip: Callable[[int], bool]) -> Iterator[Answers]:
        yield from self._filler.fill(readings, skip)

    @cached_property
    def _filler(self) -> Any:
        from transformers import AutoModelForMaskedLM

        from gnomon.models._fill import Filler
        from gnomon.models._reader_text import Liner

        tokenizer = _read_tokenizer(self.name, self._place, self._revision)
        liner = Liner.of(tokenizer, self._reads.limit(self._config, tokenizer))
        return Filler(self._load_as(AutoModelForMaskedLM), liner, self._batch_tokens)


class _Causal(_Readable):
    """A causal language model; its weights are loaded, once, when the first score or text is asked for."""

    @cached_property
    def context_length(self) -> int | None:
        text = self._config.get_text_config()
        keys = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len")
        limits = (getattr(text, key, None) for key in keys)
        return next((int(limit) for limit in limits if limit), None)

    def score(self, asks: Sequence[Ask], skip: Callable[[int], bool]) -> Iterator[Answers]:
        yield from self._scorer.score(asks, skip)  # type: ignore[misc]

    def generate(self, prompts: Sequence[Prompt], skip: Callable[[int], bool]) -> Iterator[Completions]:
        yield from self._writer.write(prompts, skip)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._encoder.count(texts)

    @cached_property
    def _encoder(self) -> Encoder:
        from gnomon.models._tokens import Encoder

        return Encoder(_read_tokenizer(self.name, self._place, self._revision), self.context_length, self._bos)

    @cached_property
    def _scorer(self) -> Scorer:
        from gnomon.models._scorer import Scorer
        from gnomon.models._tree import Budget

        encoder = self._encoder  # before the weights: a model without a tokenizer fails early
        return Scorer(self._network, encoder, Budget(tokens=self._batch_tokens), self._sharing)

    @cached_property
    def _writer(self) -> Writer:
        from gnomon.models._writer import Writer
        from gnomon.models._writer_text import PromptEncoder

        prompts = PromptEncoder(self._encoder, self._chat)  # before the weights, as above
        return Writer(self._network, prompts, self._batch_rows, self._batch_tokens)

    @cached_property
    def _reader(self) -> Any:
        from gnomon.models._reader import DecoderReader
        from gnomon.models._reader_text import Liner

        tokenizer = _read_tokenizer(self.name, self._place, self._revision)
        start = self._encoder.start
        liner = self._reads.ended(Liner(tokenizer, self.context_length, start, ()))
        return DecoderReader(self._network, self.layout(), liner, self.name, self._scorer, self._reads.space)

    @property
    def depth(self) -> int:
        return int(self._config.get_text_config().num_hidden_layers)

    @property
    def network(self) -> str:
        if self._random is not None:  # each depth draws its own weights
            return self.fingerprint()
        return self._hash(rule=self.layout().rule, tokens=self._batch_tokens, sharing=self._sharing)

    def closed(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._reader.closed(states)
        return found

    def pupil(self, method: str, seed: int, start: str, rank: int, writes: bool = False) -> Any:
        """A trainable copy; with start "unembedding" its head begins with the output rows of "0" and "1"."""
        from gnomon.models._pupil import Pupil, Scribe

        network, encoder = self._network, self._encoder
        first = self.unembedding(("0", "1")) if start == "unembedding" else None
        if writes:
            return Scribe(_copy(network, method), encoder, first, method, seed, rank, self._batch_tokens)
        return Pupil(
            _copy(network.base_model, method), encoder.whole, first, method, seed, True, self.context_length, rank
        )

    def unembedding(self, texts: Sequence[str]) -> Any:
        """Rows of the output head, (texts, width) and float32: each of the text's last token."""
        rows = [ids[-1] for ids in self._encoder.whole(list(texts))]
        return self._network.get_output_embeddings().weight[rows].detach().float()

    @cached_property
    def _network(self) -> Any:
        from transformers import AutoModelForCausalLM

        return self._load_as(AutoModelForCausalLM)


class _Extractive(_Encoder):
    """A model that answers questions with spans of a text; its weights are loaded when the first passage comes."""

    def highlight(self, passages: Sequence[Passage], skip: Callable[[int], bool]) -> Iterator[Highlightings]:
        yield from self._highlighter.highlight(passages, skip)

    @cached_property
    def _highlighter(self) -> Highlighter:
        from gnomon.models._highlighter import Highlighter, load_extractive

        model, tokenizer = load_extractive(
            self._place, self._revision, self._torch_dtype(), self._device, shown=self.name, config=self._config
        )
        budget = {"batch_tokens": self._batch_tokens} if self._given.text("batch_tokens", "") else {}
        return Highlighter(model, tokenizer, **budget)


def _random_seed(text: str, shown: str) -> int | None:
    """The seed in weights=random:SEED (random alone: 0); None for weights=given."""
    word, _, seed = text.partition(":")
    if text == "given":
        return None
    if word != "random" or not (seed or "0").isdecimal():
        raise UsageError(f"model argument weights={text} is not possible for {shown}.", hint="Use random or random:7 .")
    return int(seed or 0)


def _is_masked(config: Any) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    own = MODEL_FOR_MASKED_LM_MAPPING_NAMES.get(config.model_type)
    return own is not None and own in (config.architectures or []) and not config.is_encoder_decoder


def _is_extractive(config: Any) -> bool:
    from gnomon.models._highlighter import is_extractive

    return is_extractive(config)


def _read_config(shown: str, place: str, revision: str) -> Any:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    if Path(place).is_dir() and not (Path(place) / "config.json").is_file():
        raise ModelError(f"the folder '{place}' holds no config.json, so it is no model that transformers can read.")
    try:
        with _quiet():
            return AutoConfig.from_pretrained(place, **_at(revision))
    except (OSError, ValueError, StrictDataclassError) as error:
        if Path(place).is_dir():
            raise ModelError(f"the config.json of '{place}' cannot be read: {_first_line(error)}") from error
        raise ModelError(
            f"model '{shown}' is no folder here, and cannot be had from the hub: {_first_line(error)}",
            hint="Give a folder that holds config.json, or check the id and the network. Offline:  -m smollm2 .",
        ) from error


def _read_tokenizer(shown: str, place: str, revision: str) -> Any:
    from transformers import AutoTokenizer

    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(place, **_at(revision))
        if len(tokenizer("a b c", add_special_tokens=False)["input_ids"]) == 0:
            raise ValueError("its tokenizer has an empty vocabulary")
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise ModelError(
            f"model '{shown}' has no tokenizer that can be read: {_first_line(error)}",
            hint="Put tokenizer.json (or the files of its tokenizer) into the model's folder.",
        ) from error
    return tokenizer


def _is_causal(config: Any) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    own = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type)
    heads = config.architectures or [own]
    causal = any(head == own or "CausalLM" in head or "LMHead" in head for head in heads)
    return own is not None and causal and not config.is_encoder_decoder


def _first_layers(shown: str, config: Any, value: str) -> Any:
    text = config.get_text_config()
    if not value.isdecimal() or not 1 <= int(value) <= text.num_hidden_layers:
        raise UsageError(f"{shown}@layers={value}: give a whole number from 1 to {text.num_hidden_layers}.")
    if vars(text).get("layer_types"):  # some families compute it
        text.layer_types = text.layer_types[: int(value)]
    text.num_hidden_layers = int(value)
    return config


def _copy(network: Any, method: str) -> Any:
    """A copy to be taught; under adapters the weights stay as they are, and are shared."""
    shared = {id(one): one for one in network.parameters()} if method == "lora" else {}
    return copy.deepcopy(network, shared)


def _at(revision: str) -> dict[str, str]:
    return {"revision": revision} if revision else {}


def _first_line(error: Exception) -> str:
    """The first line of a library's message, as the end of a sentence; a line that announces others with the next."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1]).rstrip(" .:,!") + "."


class _quiet:
    """Keeps transformers' own bars and advice off the terminal while a model loads."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._verbosity, self._bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *exc: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self._verbosity)
        if self._bars:
            logging.enable_progress_bar()
