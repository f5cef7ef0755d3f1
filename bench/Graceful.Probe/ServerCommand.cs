namespace Graceful.Probe;

// One of the servers to be compared: a label and the words of its command.
internal sealed record ServerCommand(string Label, IReadOnlyList<string> Words);
