// Nearly every test only waits for a server, so more of them run at once than there are cores.
[assembly: Xunit.CollectionBehavior(MaxParallelThreads = 6)]
