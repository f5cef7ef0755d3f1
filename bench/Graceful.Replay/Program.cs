using Graceful.Replay;

return Replayer.Run(args, Console.Out, Console.Error);
