namespace Graceful.Probe;

// Clients come from 127.0.0.2, 127.0.0.3 and so on in turn, since one address has only some 28,000 ports to give.
internal static class SourceAddresses
{
    public const int Limit = 250;

    public static byte LastByte(int client, int sources) => (byte)(2 + client % sources);
}
