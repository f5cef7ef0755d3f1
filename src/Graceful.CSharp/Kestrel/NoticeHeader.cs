using Graceful.Engine;
using Microsoft.AspNetCore.Http;

namespace Graceful.Kestrel;

/// <summary>How HTTP/1.x is told that a response is the connection's last.</summary>
internal static class NoticeHeader
{
    /// <summary>Later versions know no such header: they have a GOAWAY.</summary>
    public static bool IsHeardBy(HttpRequest request) => HttpProtocol.IsHttp11(request.Protocol) || HttpProtocol.IsHttp10(request.Protocol);

    /// <summary>Call as the head goes out.</summary>
    public static void PutInto(HttpResponse response, TrackedConnection connection)
    {
        if (connection.MustTell)
        {
            response.Headers.Connection = "close";
            connection.Told();
        }
    }
}
