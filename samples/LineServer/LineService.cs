using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Graceful;
using Microsoft.Extensions.Hosting;

namespace LineServer;

/// <summary>Accepts until there are no more connections, and answers each.</summary>
internal sealed class LineService(GracefulListener listener) : BackgroundService
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using (listener)
        {
            Console.WriteLine($"Listening on {listener.LocalEndPoint}");

            // Not with the token: whoever is connected when the way out begins is served too, and then there are no more.
            while (await listener.AcceptAsync(CancellationToken.None) is { } connection)
            {
                _ = ServeAsync(connection);
            }
        }
    }

    private static async Task ServeAsync(GracefulConnection connection)
    {
        await using (connection)
        {
            try
            {
                await AnswerAsync(connection);
            }
            catch (IOException e)
            {
                Console.WriteLine($"{connection.RemoteEndPoint}: {e.Message}");
            }
        }
    }

    private static async Task AnswerAsync(GracefulConnection connection)
    {
        var input = PipeReader.Create(connection);
        while (true)
        {
            // The read marks the connection in use.
            var read = await input.ReadAsync();
            var buffer = read.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = Encoding.UTF8.GetString(buffer.Slice(0, end));
                buffer = buffer.Slice(buffer.GetPosition(1, end));
                if (line.Split(' ') is ["wait", var text] && int.TryParse(text, CultureInfo.InvariantCulture, out var wait))
                {
                    await Task.Delay(wait);
                }

                await connection.WriteAsync(Encoding.UTF8.GetBytes(line.ToUpperInvariant() + (connection.IsRetiring ? " AND BYE\n" : "\n")));
            }

            var isNothingLeft = buffer.IsEmpty;
            input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                return;
            }

            if (isNothingLeft)
            {
                // All that was sent is answered: the deadline marks the connection idle. Whoever sent half a line is not.
                connection.SetReadDeadline(Patience);
            }
        }
    }
}
