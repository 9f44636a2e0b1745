"""`--keep "total=a+b,low<=high"` and `--together "city,zip"`: from the user's words to rules that the data are held to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wgan.data.tabular.coding import Codes
from wgan.data.tabular.kinds import Found
from wgan.data.tabular.rules import Rule
from wgan.data.units import step_of
from wgan.errors import WganError, nearest

FORMS = "write TOTAL=A+B or A<=B, with names of columns"
SIGNS = (">=", "<=", "=", "<", ">", "+", "-", ",", ";")


@dataclass(frozen=True)
class Wish:
    """One rule as it was asked for: left = or <= the sum of terms (name, weight)."""

    text: str
    left: str
    sign: str
    terms: tuple[tuple[str, float], ...]


def pieces(text: str, names: Sequence[str], option: str, where: str) -> list[str]:
    """Return the names of columns and the signs of a text; WganError for anything else."""
    word = re.compile(rf"\s*({'|'.join(map(re.escape, [*sorted(names, key=len, reverse=True), *SIGNS]))})\s*")
    found: list[str] = []
    at = 0
    while at < len(text):
        match = word.match(text, at)
        if not match or (found and found[-1] in names and match[1] in names):
            name = re.split("[=<>+,;]", text[at:].strip())[0].strip() or text[at:].strip()
            raise WganError(f"{option} '{text.strip()[:60]}': {where} has no column '{name}': {nearest(name, names)}")
        found.append(match[1])
        at = match.end()
    return found


def divided(parts: Sequence[str], sign: str) -> list[list[str]]:
    """Return the parts between signs."""
    found: list[list[str]] = [[]]
    for part in parts:
        if part == sign:
            found.append([])
        else:
            found[-1].append(part)
    return found


def wishes(text: str, names: Sequence[str], where: str) -> list[Wish]:
    """Return the rules of `--keep`; WganError for what is none."""
    return [wish_of(parts, names) for parts in divided(pieces(text, names, "keep", where), ",")]


def wish_of(parts: Sequence[str], names: Sequence[str]) -> Wish:
    """Return one rule; A>=B is B<=A."""
    text = "".join(parts)
    shape = ["name" if part in names else part for part in parts]
    if shape[:2] == ["name", "="]:
        signs = ["+", *shape[3::2]]
        if len(shape) % 2 and set(shape[2::2]) == {"name"} and set(signs) <= {"+", "-"}:
            weights = [1.0 if sign == "+" else -1.0 for sign in signs]
            return Wish(text, parts[0], "=", tuple(zip(parts[2::2], weights, strict=True)))
    if shape in (["name", "<=", "name"], ["name", ">=", "name"]):
        low, high = (parts[0], parts[2]) if parts[1] == "<=" else (parts[2], parts[0])
        return Wish(text, low, "<=", ((high, 1.0),))
    raise WganError(f"keep '{text}': {FORMS}")


def rules_of(
    text: str, kinds: Sequence[Found], rows: Codes, train: NDArray[np.bool_], lines: Sequence[int], where: str
) -> list[Rule]:
    """Return the rules of `--keep` in the order in which they are applied, held to all rows [N, C].

    Raises WganError for columns that cannot be kept so, and for rows that do not, with the first line and how many.
    """
    if not text:
        return []
    names = [k.name for k in kinds]
    rules: list[Rule] = []
    for wish in wishes(text, names, where):
        require_kinds(wish, kinds)
        tried = [r for r in candidates(wish, kinds, rows) if is_free(r, rules)]
        broken = [violated(r, wish, kinds, rows) for r in tried]
        if not tried:
            raise WganError(f"keep '{wish.text}': its columns are told by other rules already; leave one out")
        best = int(np.argmin([b.sum() for b in broken]))
        if broken[best].any():
            raise WganError(refusal(wish, broken[best], lines, where))
        rules.append(limited(tried[best], kinds, rows[train]))
    return in_order(rules)


def require_kinds(wish: Wish, kinds: Sequence[Found]) -> None:
    """Raise WganError for columns that cannot be added or compared."""
    used = {wish.left, *(name for name, _ in wish.terms)}
    if len(used) < 1 + len(wish.terms):
        raise WganError(f"keep '{wish.text}' names a column twice")
    found = {k.name: k.kind for k in kinds if k.name in used}
    strange = next((name for name, kind in found.items() if kind not in ("number", "date")), "")
    if strange:
        raise WganError(f"keep '{wish.text}': {strange} is a category, and only numbers and dates can be kept so")
    if len(set(found.values())) > 1 or (wish.sign == "=" and "date" in found.values()):
        raise WganError(f"keep '{wish.text}': dates are compared with dates only, and never added")


def candidates(wish: Wish, kinds: Sequence[Found], rows: Codes) -> list[Rule]:
    """Return the ways to keep a rule: which column is told by the others. For A<=B that is B, or else A."""
    at = {k.name: i for i, k in enumerate(kinds)}
    if wish.sign == "=":
        return [Rule(at[wish.left], tuple((at[name], weight) for name, weight in wish.terms), 0)]
    low, high = at[wish.left], at[wish.terms[0][0]]
    return [Rule(high, ((low, 1.0),), 1), Rule(low, ((high, 1.0),), -1)]


def is_free(rule: Rule, rules: Sequence[Rule]) -> bool:
    """Return whether no other rule tells the same column, and none of the terms is told by it."""
    told = {r.at: {of for of, _ in r.terms} for r in rules}
    if rule.at in told:
        return False
    seen, left = set[int](), {of for of, _ in rule.terms}
    while left:
        seen |= left
        left = set().union(*(told.get(of, set()) for of in left)) - seen
    return rule.at not in seen


def violated(rule: Rule, wish: Wish, kinds: Sequence[Found], rows: Codes) -> NDArray[np.bool_]:
    """Return which rows [N, C] do not keep a rule; a cell that is missing must be so where a term is, and a sum only there."""
    x, base = rows[:, rule.at], rule.base(rows)
    missing = np.isnan(base) & ~np.isnan(x)
    if rule.rest:
        return rule.crosses(x, base) | missing
    digits = [kinds[i].digits for i in (rule.at, *(of for of, _ in rule.terms))]
    rounded = digits[0] >= 0 and (min(digits[1:]) < 0 or max(digits[1:]) > digits[0])
    off = 0.5 * 10.0 ** -digits[0] if rounded else 0.0
    with np.errstate(invalid="ignore"):
        wrong = np.abs(x - base) > off + 1e-9 * np.maximum(1e-300, np.abs(rows[:, [of for of, _ in rule.terms]]).max(1))
    return np.asarray(wrong | missing | (np.isnan(x) & ~np.isnan(base)), np.bool_)


def refusal(wish: Wish, broken: NDArray[np.bool_], lines: Sequence[int], where: str) -> str:
    """Return the sentence on rows that do not keep a rule."""
    count = int(broken.sum())
    place = f"line {lines[int(broken.argmax())]}" + (f" and {count - 1} more" if count > 1 else "")
    return f"keep '{wish.text}': {place} of {where} breaks it; fix the rows, or leave the rule out"


def limited(rule: Rule, kinds: Sequence[Found], train: Codes) -> Rule:
    """Return the rule with the range and the unit of its column in the training rows [N, C]."""
    x = train[:, rule.at]
    x = x[~np.isnan(x)]
    if not rule.rest or not len(x):
        return rule
    digits = kinds[rule.at].digits if kinds[rule.at].kind == "number" else 0
    unit = step_of(x) or (10.0**-digits if 0 <= digits <= 15 else 0.0)
    return Rule(rule.at, rule.terms, rule.rest, float(x.max() if rule.rest > 0 else x.min()), unit)


def in_order(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules so that each comes after those that tell its terms."""
    left, found = list(rules), list[Rule]()
    while left:
        told = {r.at for r in left}
        ready = [r for r in left if not any(of in told for of, _ in r.terms)]
        found += ready
        left = [r for r in left if r not in ready]
    return found


def groups_of(text: str, names: Sequence[str], rules: Sequence[Rule], where: str) -> list[tuple[int, ...]]:
    """Return the places of the columns of each group of `--together`; WganError for what is not a group."""
    if not text:
        return []
    found = []
    for parts in divided(pieces(text, names, "together", where), ";"):
        named = [part in names for part in parts]
        if len(parts) < 3 or named != [i % 2 == 0 for i in range(len(parts) // 2 * 2 + 1)] or {*parts[1::2]} != {","}:
            raise WganError(f"together '{''.join(parts)}': write A,B with names of columns, and ; before another group")
        found.append(tuple(names.index(name) for name in parts[::2]))
    every = [i for at in found for i in at]
    double = next((names[i] for i in every if every.count(i) > 1 or i in {r.at for r in rules}), "")
    if double:
        raise WganError(f"together: column {double} is in two groups, or told by --keep already; leave one out")
    return found
