namespace Graceful.FastCgi;

/// <summary>How a request ended for the protocol, by the numbers of FastCGI 1.0.</summary>
internal enum ProtocolStatus : byte
{
    RequestComplete = 0,
    CantMultiplex = 1,
    Overloaded = 2,
    UnknownRole = 3,
}
