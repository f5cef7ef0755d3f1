using Graceful.Benchmarks;

// What a request costs. Everything is measured in short slices that take turns, and compared as a ratio of medians:
// on a shared machine only that means something. The argument is the number of rounds.
var rounds = args is [var text, ..] && int.TryParse(text, out var given) && given is > 0 and <= 10_000 ? given : 200;
var step = ConnectionStepBenchmark.Run(rounds);
var request = await RequestBenchmark.RunAsync(Math.Max(1, rounds / 4)).ConfigureAwait(false);
var raw = await RawConnectionBenchmark.RunAsync(rounds).ConfigureAwait(false);
return step && request && raw ? 0 : 1;
