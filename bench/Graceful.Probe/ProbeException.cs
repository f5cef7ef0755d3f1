namespace Graceful.Probe;

// The probe cannot go on: the server never came up, or a system call of the probe itself failed.
internal sealed class ProbeException(string message) : Exception(message);
