"""The master key in shares: some of them together give it back, fewer tell nothing of it.

Source: SLIP-0039 (Shamir's secret sharing for mnemonic codes), by its authors' own library.
"""

from __future__ import annotations

from collections.abc import Sequence

from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics

from ringfence.errors import SealError

__all__ = ["check_counts", "combine", "split"]

MOST_SHARES = 16
"""SLIP-0039's own limit."""
FEWEST = 2
"""A share that is enough by itself is a copy of the key."""
SECRET_BYTES = 32


def check_counts(threshold: int, count: int) -> None:
    """Refuse what cannot be split so.

    Raises:
        SealError: so many cannot be made, or one would be enough.
    """
    if not FEWEST <= threshold <= count <= MOST_SHARES:
        hint = f"{FEWEST} to {MOST_SHARES} shares, and no more needed than there are: 3 of 5"
        raise SealError(f"{threshold} of {count} shares cannot be made", hint=hint)


def split(secret: bytes, threshold: int, count: int) -> list[str]:
    """Return `count` shares, `threshold` of which are enough: 33 words each.

    Raises:
        SealError: as `check_counts`.
    """
    check_counts(threshold, count)
    made: list[list[str]] = generate_mnemonics(1, [(threshold, count)], secret)
    return made[0]


def combine(shares: Sequence[str]) -> bytearray:
    """Return the secret of shares that belong together; whoever takes it wipes it.

    Raises:
        SealError: one is miswritten, they are too few, or not of one secret. No word of them is in
            what is said.
    """
    try:
        secret = bytearray(combine_mnemonics([" ".join(share.split()) for share in shares]))
    except (MnemonicError, ValueError):
        # Its own words may repeat a word of a share.
        raise SealError(f"the {len(shares)} shares give no secret: {reason(shares)}") from None
    if len(secret) != SECRET_BYTES:
        secret[:] = bytes(len(secret))
        raise SealError("the shares are of something else than a master key")
    return secret


def reason(shares: Sequence[str]) -> str:
    """Return why shares give no secret, by their places."""
    read = []
    for place, share in enumerate(shares, 1):
        try:
            read.append(Share.from_mnemonic(share))
        except (MnemonicError, ValueError):
            return f"share {place} is miswritten; every word of it counts"
    if len({one.common_parameters() for one in read}) > 1:
        return "they are not of one splitting"
    if len({one.index for one in read}) < len(read):
        return "one of them is there twice"
    if read and len(read) < read[0].member_threshold:
        return f"it takes {read[0].member_threshold}"
    if read and len(read) > read[0].member_threshold:
        return f"give exactly {read[0].member_threshold}"
    return "they do not fit together" if read else "there is none"
