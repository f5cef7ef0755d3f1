namespace Graceful.Tests.Interleavings;

/// <summary>A sweep cuts requests off while they end by themselves and others begin on the same context.</summary>
[Collection(nameof(Alone))]
public sealed class CutRaces
{
    [Fact]
    public void No_race_with_the_end_of_a_request_aborts_another_one() =>
        new Rounds("Cut", CutRace.Outcomes, (round, _) => new CutRace(round, waits: true)).Play();

    [Fact]
    public void A_server_that_does_not_wait_for_the_cut_is_found() =>
        new Rounds("Cut that nobody waits for", CutRace.Outcomes, (round, _) => new CutRace(round, waits: false)).Find();
}
