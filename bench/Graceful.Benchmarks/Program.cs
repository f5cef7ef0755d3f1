using Graceful.Benchmarks;

// What a request costs, a raw connection and a TLS handshake. Everything is measured in short slices that take turns, and compared as a ratio of medians:
// on a shared machine only that means something. The argument is the number of rounds.
if (args is ["handshakes", .. var rest])
{
    return await HandshakeBenchmark.RunAsync(rest is [var many, ..] && int.TryParse(many, out var some) && some is > 0 and <= 10_000 ? some : 200).ConfigureAwait(false) ? 0 : 1;
}

var rounds = args is [var text, ..] && int.TryParse(text, out var given) && given is > 0 and <= 10_000 ? given : 200;
var step = ConnectionStepBenchmark.Run(rounds);

// Before any server of Kestrel's lives in this process.
var raw = await RawConnectionBenchmark.RunAsync(rounds).ConfigureAwait(false);
var request = await RequestBenchmark.RunAsync(Math.Max(1, rounds / 4)).ConfigureAwait(false);
var handshakes = await HandshakeBenchmark.RunAsync(rounds).ConfigureAwait(false);
return step && request && raw && handshakes ? 0 : 1;
