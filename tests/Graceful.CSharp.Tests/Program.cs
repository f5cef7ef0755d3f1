using Graceful.Tests.Processes;
using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

// Run as a child with `serve KIND ...` this is one of the servers of Processes/; else it runs the tests.
if (args is ["serve", var kind, .. var options])
{
    return kind.StartsWith(ChildGracefulServer.Prefix, StringComparison.Ordinal) ? await ChildGracefulServer.RunAsync(kind)
        : kind == ChildCrowd.Kind ? await ChildCrowd.RunAsync(options)
        : kind.StartsWith(ChildActivated.Prefix, StringComparison.Ordinal) ? await ChildActivated.RunAsync(kind, options)
        : kind.StartsWith(ChildTracked.Prefix, StringComparison.Ordinal) ? await ChildTracked.RunAsync(kind, options)
        : await ChildServer.RunAsync(kind, options);
}

// The tests wait far more than they work, many at a time.
ThreadPool.SetMinThreads(32, 32);
if (args.Contains("--server"))
{
    // Another program runs the tests, as Stryker does, and has no way of its own to say which of them.
    var which = Environment.GetEnvironmentVariable("GRACEFUL_TESTS")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
    return await TestPlatformTestFramework.RunAsync([.. args, .. which], (_, _) => { });
}

return await ConsoleRunner.Run(args);
