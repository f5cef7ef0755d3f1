using System.Runtime.CompilerServices;
using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Tests.Interleavings;

/// <summary>Threads that step one connection's cell at the same moment.</summary>
[Collection(nameof(Alone))]
public sealed class ConnectionRaces
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_a_connection_answers_comes_of_an_order_of_whole_steps(bool observed) =>
        new Rounds(observed ? "Observed connection" : "Connection", ConnectionRace.Outcomes, (round, threads) =>
        {
            var cell = new Cell(observed);
            return new ConnectionRace(cell.Step, () => cell.Now, round, threads);
        }).Play();

    [Fact]
    public void A_connection_that_stores_and_does_not_compare_is_found() =>
        new Rounds("Connection that only stores", ConnectionRace.Outcomes, (round, threads) =>
        {
            var cell = new StoringCell();
            return new ConnectionRace(cell.Step, () => cell.Now, round, threads);
        }).Find();

    /// <summary>The real cell, by either of its ways to step.</summary>
    private sealed class Cell(bool observed)
    {
        private ConnectionCell _cell;

        public Connection Now => _cell.Now;

        public int Step(ConnectionEvent happened) => observed ? _cell.Step(happened, out _, out _).Tag : _cell.Step(happened);
    }

    /// <summary>The cell without the comparison; a little slow, so that a busy machine finds it soon as well.</summary>
    private sealed class StoringCell
    {
        private uint _word;

        public Connection Now => Unsafe.BitCast<uint, Connection>(Volatile.Read(ref _word));

        public int Step(ConnectionEvent happened)
        {
            var (next, effect) = ConnectionModule.step(happened, Now);
            Thread.SpinWait(10);
            Volatile.Write(ref _word, Unsafe.BitCast<Connection, uint>(next));
            return effect.Tag;
        }
    }
}
