namespace Graceful.Tracking;

/// <summary>What a server may do wrong, each of which is reported once.</summary>
[Flags]
internal enum Misuse
{
    None = 0,
    OpenedTwice = 1 << 0,
    ActiveNotOpen = 1 << 1,
    IdleNotOpen = 1 << 2,
    HijackedNotOpen = 1 << 3,
    ClosedNotOpen = 1 << 4,
    ActiveHijacked = 1 << 5,
    IdleHijacked = 1 << 6,
    HijackedTwice = 1 << 7,
    SocketOfFailed = 1 << 8,
    IdOfFailed = 1 << 9,
}
