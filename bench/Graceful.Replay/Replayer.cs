namespace Graceful.Replay;

/// <summary>The program: reads a record, folds it, tells it, and says whether it is what the core makes of it.</summary>
internal static class Replayer
{
    private const int Same = 0;
    private const int Differs = 1;
    private const int Unusable = 2;

    private const string Usage =
        """
        Graceful.Replay [--all] FILE
          Folds the record that a server wrote (GracefulOptions.Record) through the core again and tells what happened.
          --all   also each step of the gate and of every connection
        Exit code: 0 the core does the same again, 1 it differs, 2 the record can't be read.
        """;

    public static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        if (args is ["--help" or "-h" or "-?"])
        {
            output.WriteLine(Usage);
            return Same;
        }

        var all = args.Contains("--all");
        string[] files = [.. args.Where(arg => arg != "--all")];
        if (files is not [var path] || path.StartsWith("--", StringComparison.Ordinal))
        {
            errors.WriteLine(files is [var odd] ? $"Graceful.Replay: '{odd}' is no option of it.\n{Usage}"
                : $"Graceful.Replay: it takes one file, not {files.Length}.\n{Usage}");
            return Unusable;
        }

        try
        {
            using var file = new RecordReader(path);
            return Replay(file, new TimeLine(output, all), output);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or UnreadableException)
        {
            errors.WriteLine($"Graceful.Replay: '{path}' can't be read: {e.Message}");
            return Unusable;
        }
    }

    private static int Replay(RecordReader file, TimeLine timeLine, TextWriter output)
    {
        var header = file.Header;
        var fold = new Fold(header);
        timeLine.Begin(header);
        var difference = fold.First();
        using var lines = file.Lines().GetEnumerator();
        while (difference is null && lines.MoveNext())
        {
            // What differs is told as well: it is what happened.
            difference = fold.Take(lines.Current);
            timeLine.Take(lines.Current);
        }

        timeLine.End();
        if (difference is not null)
        {
            output.WriteLine($"Line {file.LineNumber} differs: {difference}");
            return Differs;
        }

        if (file.Remark is { } remark)
        {
            output.WriteLine(remark);
        }

        output.WriteLine($"{file.LineNumber} lines, the same states and orders again: {fold.Outcome}.");
        return Same;
    }
}
