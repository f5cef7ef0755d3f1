namespace Graceful.Probe.RudeServer;

internal static class Program
{
    public static int Main(string[] args)
    {
        var settings = new Settings(args);
        if (settings.OnSignal == "never-up")
        {
            Console.WriteLine("I will not come up.");
            return 3;
        }
        return new Server(settings).Run();
    }
}
