"""Secrets are masked, everything else is left alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runcast import redact
from runcast.redact import MASK, key_pattern, redact_text, redact_tree, redact_value, secrecy

CANARY = "c4nary-S3cret"
WANDB_KEY = "0123456789abcdef0123456789abcdef01234567"

LEAKS = [
    f"https://user:{CANARY}@host/path",
    f"postgresql+psycopg://user:{CANARY}@host:5432/db",
    f"postgresql://user:{CANARY}/w@host/db",
    f"amqp://:{CANARY}@host",
    f"https://x-access-token:{CANARY}@github.com/a/b",
    f"Authorization: Bearer {CANARY}",
    f"{{'authorization': 'Basic {CANARY}'}}",
    f"curl -H 'X-Api-Key: {CANARY}' https://host",
    f"train.py --password {CANARY} --lr 3",
    f"train.py --api-key={CANARY}",
    f'train.py --auth-token "{CANARY} {CANARY}"',
    f"?token={CANARY}&page=2",
    f"aws_secret_access_key = {CANARY}",
    f'{{"password": "{CANARY}", "lr": 3}}',
    f'{{\\"clientSecret\\": \\"{CANARY}\\"}}',
    f"Config(db_password='{CANARY}', lr=3)",
    f"AccountName=x;AccountKey={CANARY};E=1",
    f"machine api.wandb.ai login user password {CANARY}",
    f"https://store.blob/x?sv=1&sig={CANARY}",
    f"keys: password={CANARY}",
    f"password='{CANARY}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
]

FORMS = [
    "ghp_" + "a1" * 18,
    "github_pat_" + "a1_" * 20,
    "sk-proj-" + "a1" * 20,
    "sk-ant-api03-" + "a1" * 20,
    "hf_" + "aB" * 17,
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-abcdefghijkl",
    "glpat-" + "a1" * 10,
    "wandb_v1_" + "a1" * 30,
    "dapi" + "0a" * 16,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    f"wandb login {WANDB_KEY}",
    f"WANDB_API_KEY={WANDB_KEY}",
    f"https://api:{WANDB_KEY}@api.wandb.ai",
]

PLAIN = [
    "",
    "adamw",
    f"commit {WANDB_KEY}",
    f"wandb run of commit {WANDB_KEY}",
    "http://host:8080/image@2x.png",
    "git@github.com:owner/repo.git",
    "ssh://git@github.com/owner/repo",
    "max_tokens=512 num_tokens: 7 --max-tokens 9",
    "loss per token=0.52",
    "eos_token=</s> pad_token: <pad>",
    "tokenizer=bert-base-uncased author: Ada, key=value monkey=1",
    "the token: is a word",
    "token=None auth=true secret=''",
    "risk-adjusted-portfolio-optimiser-v2",
    "def f(password: str, token: str | None): ...",
]

SECRET_KEYS = [
    "password", "db/password", "DB_PASSWD", "secret", "client.secret", "token", "hf_token", "accessToken",
    "api_key", "apikey", "APIKey", "OPENAI_API_KEY", "aws_secret_access_key", "private_key", "credentials",
    "auth", "Authorization", "secrets/host", "mypassword", "db_pwd",
]  # fmt: skip
INNOCENT_KEYS = [
    "max_tokens", "tokenizer", "n_tokens", "token_count", "num_tokens", "author", "secretary", "key",
    "monkey", "eos_token", "special_tokens", "token_type", "primary_key", "forward_pass", "compass", "keys",
    "authority", "password_file", "lr", "", "/", "..",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not depend on the secrets of whoever runs them."""
    monkeypatch.setattr(redact, "_known", ())


@pytest.mark.fault(
    "F27",
    how="known forms of keys and passwords",
    outcome="masked",
)
@pytest.mark.parametrize("text", LEAKS)
def test_planted_secret_is_masked(text: str) -> None:
    """A secret in a URL, a header, a command line or an assignment does not survive."""
    masked = redact_text(text)

    assert CANARY not in masked
    assert MASK in masked


@pytest.mark.parametrize("text", FORMS)
def test_known_form_is_masked(text: str) -> None:
    """A key with a known prefix is masked wherever it stands, and nothing of it is left."""
    masked = redact_text(f"before {text} after")

    assert text.split("=")[-1].split(" ")[-1] not in masked
    assert WANDB_KEY not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_is_the_same_object(text: str) -> None:
    """Ordinary training vocabulary, Git commits and ports are left alone."""
    assert redact_text(text) is text


def test_rest_of_the_text_stays_readable() -> None:
    """Only the secret goes; the name before it and what follows stay."""
    assert redact_text("run --password hunter2 --lr 3") == f"run --password {MASK} --lr 3"
    assert redact_text('{"password": "a\\"b", "lr": 3}') == f'{{"password": "{MASK}", "lr": 3}}'
    assert redact_text("https://u:p@h/x?mail=a@b.c") == f"https://u:{MASK}@h/x?mail=a@b.c"
    assert redact_text("token=abc&page=2") == f"token={MASK}&page=2"


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_secret_key_masks_its_texts_whole(key: str) -> None:
    """Under a secret name every text is masked, however deep, and numbers stay."""
    assert redact_value(key, "anything") == MASK
    assert redact_value(key, {"a": ["x", 1, None, True, 2.5]}) == {"a": [MASK, 1, None, True, 2.5]}


@pytest.mark.parametrize("key", INNOCENT_KEYS)
def test_innocent_key_masks_nothing(key: str) -> None:
    """Names that merely look alike leave their values alone."""
    value = {"a": ["x", 1]}

    assert secrecy(key) == 0
    assert redact_value(key, value) is value


def test_tree_reports_what_it_masked() -> None:
    """The masked names come back, so that a run can say so; keys are cleaned too, without losing one."""
    tree = {"lr": 0.1, "api_key": "x", "https://u:p@h": 1, "https://u:q@h": 2, "max_tokens": 5}

    clean, masked = redact_tree(tree)

    assert clean == {
        "lr": 0.1,
        "api_key": MASK,
        f"https://u:{MASK}@h": 1,
        f"https://u:{MASK}@h (2)": 2,
        "max_tokens": 5,
    }
    assert masked == ["api_key", f"https://u:{MASK}@h", f"https://u:{MASK}@h (2)"]


def test_command_line_as_a_list() -> None:
    """A flag that looks secret masks the list item behind it."""
    argv = ["train.py", "--password", "hunter2", "--lr", "3"]

    assert redact_value("argv", argv) == ["train.py", "--password", MASK, "--lr", "3"]


def test_own_patterns() -> None:
    """The setting ``redact`` adds names, shell style, in any case."""
    extra = key_pattern(["*_pin", "badge"])

    assert redact_value("user_PIN", "1234", extra) == MASK
    assert redact_value("user_pink", "1234", extra) == "1234"
    assert redact_value("door", {"badge": "7"}, key_pattern(["*badge"])) == {"badge": MASK}
    assert key_pattern([]) is None


def test_environment_secrets_are_masked_by_value(tmp_path: Any) -> None:
    """The value of a secret variable is masked anywhere, raw and percent-encoded; a path is not."""
    redact.learn_environment(
        {
            "MY_DB_PASSWORD": "c@nary/99 x",
            "WANDB_API_KEY": WANDB_KEY,
            "SHORT_PASSWORD": "abc",
            "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path),
            "TOKENIZERS_PARALLELISM": "definitely",
        }
    )

    assert redact_text("is c@nary/99 x or c%40nary%2F99%20x") == f"is {MASK} or {MASK}"
    assert redact_text(f"commit {WANDB_KEY}") == f"commit {MASK}"
    untouched = f"abc {tmp_path} definitely"
    assert redact_text(untouched) is untouched


def test_environment_is_read_at_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be called for the variables that exist when the script starts."""
    monkeypatch.setattr(redact, "_known", None)
    monkeypatch.setenv("SOME_SERVICE_TOKEN", CANARY)

    assert CANARY not in redact_text(f"got {CANARY}")


fragments = st.sampled_from(
    [
        *LEAKS,
        *FORMS,
        *PLAIN,
        MASK,
        "]",
        "[",
        "password=",
        "token: ",
        "://",
        "@",
        ":",
        " ",
        '"',
        "\\",
        "'",
        "-----",
    ]
)
texts = st.one_of(st.text(), st.lists(st.one_of(fragments, st.text(max_size=5)), max_size=6).map("".join))
trees = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(texts, st.sampled_from(SECRET_KEYS)), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(texts)
@example("https://u:[redacted]@h password=[redacted]x) token: [redacted]")
@example("\ud800 password=\ud800")
def test_text_is_idempotent(text: str) -> None:
    """Masking a masked text changes nothing, so records may pass through twice."""
    once = redact_text(text)

    assert redact_text(once) is once


def _numbers(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in _numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [] if value is None or isinstance(value, str) else [value]


@given(st.one_of(texts, st.sampled_from(SECRET_KEYS)), trees)
def test_trees_keep_their_numbers_and_are_idempotent(key: str, value: Any) -> None:
    """Whatever is masked, every number stays, in order, and a second pass changes nothing."""
    once = redact_value(key, value)

    before, after = _numbers(value), _numbers(once)
    assert [type(number) for number in before] == [type(number) for number in after]
    assert all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(before, after, strict=True))
    assert redact_value(key, once) is once
