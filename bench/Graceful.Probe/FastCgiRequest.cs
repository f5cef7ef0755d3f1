using System.Buffers.Binary;
using System.Text;

namespace Graceful.Probe;

// One GET as FastCGI records, as a web server in front would send it.
internal static class FastCgiRequest
{
    public const int Id = 1;
    private const byte BeginRequest = 1;
    private const byte Parameters = 4;
    private const byte StandardInput = 5;
    private const byte Responder = 1;
    private const byte KeepConnection = 1;

    public static byte[] For(string path, int port, bool keep)
    {
        int question = path.IndexOf('?', StringComparison.Ordinal);
        var pairs = new MemoryStream();
        Pair(pairs, "GATEWAY_INTERFACE", "CGI/1.1");
        Pair(pairs, "REQUEST_METHOD", "GET");
        Pair(pairs, "REQUEST_URI", path);
        Pair(pairs, "SCRIPT_NAME", "");
        Pair(pairs, "PATH_INFO", question < 0 ? path : path[..question]);
        Pair(pairs, "QUERY_STRING", question < 0 ? "" : path[(question + 1)..]);
        Pair(pairs, "SERVER_PROTOCOL", "HTTP/1.1");
        Pair(pairs, "SERVER_NAME", "localhost");
        Pair(pairs, "SERVER_PORT", port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Pair(pairs, "REMOTE_ADDR", "127.0.0.1");
        Pair(pairs, "HTTP_HOST", "localhost");
        var request = new MemoryStream();
        Record(request, BeginRequest, [0, Responder, keep ? KeepConnection : (byte)0, 0, 0, 0, 0, 0]);
        Record(request, Parameters, pairs.ToArray());
        Record(request, Parameters, []);
        Record(request, StandardInput, []);
        return request.ToArray();
    }

    private static void Record(MemoryStream to, byte type, byte[] content)
    {
        Span<byte> head = [1, type, 0, Id, 0, 0, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(head[4..], (ushort)content.Length);
        to.Write(head);
        to.Write(content);
    }

    private static void Pair(MemoryStream to, string name, string value)
    {
        Length(to, name.Length);
        Length(to, value.Length);
        to.Write(Encoding.ASCII.GetBytes(name + value));
    }

    // One byte, or four with the topmost bit set.
    private static void Length(MemoryStream to, int length)
    {
        Span<byte> four = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(four, (uint)length | 0x8000_0000);
        to.Write(length < 128 ? [(byte)length] : four);
    }
}
