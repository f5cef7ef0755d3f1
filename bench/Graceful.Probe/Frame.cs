namespace Graceful.Probe;

// One frame of a WebSocket as the server sent it.
internal readonly record struct Frame(byte Opcode, bool IsLast, byte[] Payload)
{
    public const byte Continuation = 0;
    public const byte Text = 1;
    public const byte Binary = 2;
    public const byte Close = 8;
    public const byte Ping = 9;
    public const byte Pong = 10;

    // Nothing that a probe asks for comes back longer.
    public const int PayloadLimit = 1024 * 1024;
}
