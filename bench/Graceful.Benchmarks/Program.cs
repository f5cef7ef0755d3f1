using Graceful.Benchmarks;

// What a request costs: the step of its connection in its cell, beside the least that any exact count must cost.
// Measured in short alternating slices, compared as a ratio of medians: on a shared machine only that means something.
var rounds = args is [var text, ..] && int.TryParse(text, out var given) && given is > 0 and <= 10_000 ? given : 200;
return ConnectionStepBenchmark.Run(rounds) ? 0 : 1;
