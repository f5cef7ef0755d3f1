using Graceful.Tests.Processes;
using Xunit.Runner.InProc.SystemConsole;

// Run as a child with `serve KIND ...` this is one of the servers of Processes/; else it runs the tests.
if (args is ["serve", var kind, .. var options])
{
    return await ChildServer.RunAsync(kind, options);
}

// The tests wait far more than they work, many at a time.
ThreadPool.SetMinThreads(32, 32);
return await ConsoleRunner.Run(args);
