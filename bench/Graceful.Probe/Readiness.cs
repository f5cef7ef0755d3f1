using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace Graceful.Probe;

// Asks a starting server until it answers.
internal static class Readiness
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(25);

    // Ready is the first complete answer whose status is not an error of the server's own (5xx).
    public static void Await(ServerProcess process, LoadPlan plan, bool tls, TimeSpan limit)
    {
        long from = Stopwatch.GetTimestamp();
        string seen = "nothing";
        while (Stopwatch.GetElapsedTime(from) is var elapsed && elapsed < limit)
        {
            if (process.HasExited)
            {
                process.FinishOutput();
                throw new ProbeException($"the server exited ({process.Exit}) before it answered; it printed:\n{process.Output}");
            }
            TimeSpan left = limit - elapsed;
            seen = Ask(plan, tls, left < TimeSpan.FromSeconds(5) ? left : TimeSpan.FromSeconds(5));
            if (seen == "")
            {
                return;
            }
            process.WaitForExit(Between);
        }
        throw new ProbeException(
            $"the server did not answer on port {plan.Port} within {limit.TotalSeconds:0.#} s (last: {seen}); it printed:\n{process.Output}");
    }

    // Empty when it answered well, else what happened.
    private static string Ask(LoadPlan plan, bool tls, TimeSpan limit)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        int milliseconds = Math.Max(1, (int)limit.TotalMilliseconds);
        socket.SendTimeout = milliseconds;
        socket.ReceiveTimeout = milliseconds;
        try
        {
            socket.Connect(new IPEndPoint(IPAddress.Loopback, plan.Port));
            using Stream stream = Open(socket, tls);
            stream.Write(plan.Request);
            var answer = new AnswerReader();
            answer.Reset();
            var buffer = new byte[16 * 1024];
            while (!answer.IsComplete && !answer.IsMalformed)
            {
                int count = stream.Read(buffer);
                if (count == 0)
                {
                    answer.End();
                    break;
                }
                answer.Feed(buffer.AsSpan(0, count));
            }
            return !answer.IsComplete ? "no complete answer" : answer.Status >= 500 ? $"status {answer.Status}" : "";
        }
        catch (Exception e) when (e is SocketException or IOException or System.Security.Authentication.AuthenticationException)
        {
            return e.Message;
        }
    }

    private static Stream Open(Socket socket, bool tls)
    {
        var plain = new NetworkStream(socket, ownsSocket: false);
        if (!tls)
        {
            return plain;
        }
        var secure = new SslStream(plain);
        secure.AuthenticateAsClient(TlsClient.Options);
        return secure;
    }
}
