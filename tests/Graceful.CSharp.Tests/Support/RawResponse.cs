using System.Text;

namespace Graceful.Tests.Support;

/// <summary>A whole HTTP/1.1 response, as it came.</summary>
internal sealed record RawResponse(int Status, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    /// <summary>Whether the client was told that this response is the connection's last.</summary>
    public bool IsTold => Headers.TryGetValue("Connection", out var value) && value.Equals("close", StringComparison.OrdinalIgnoreCase);

    public string Text => Encoding.UTF8.GetString(Body);
}
