namespace Graceful.Probe;

// Where the conductor of a run writes the stage and the clients read it.
internal sealed class StageBoard
{
    private int stage;

    public Stage Stage => (Stage)Volatile.Read(ref stage);

    public void Advance(Stage next) => Volatile.Write(ref stage, Math.Max(stage, (int)next));
}
