namespace Graceful.Replay;

/// <summary>A file is no record, or a damaged one; the message names the line and the reason.</summary>
internal sealed class UnreadableException(string message) : Exception(message);
