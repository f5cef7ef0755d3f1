using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Hello;

/// <summary>Reads what Graceful measures, each second, as an exporter would.</summary>
internal sealed class Monitoring : BackgroundService
{
    private readonly ActivityListener _activities = new()
    {
        ShouldListenTo = source => source.Name == "Graceful",
        Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
    };

    private readonly MeterListener _metrics = new()
    {
        InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "Graceful")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        },
    };

    public override void Dispose()
    {
        _metrics.Dispose();
        _activities.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        ActivitySource.AddActivityListener(_activities);
        _metrics.Start();
        while (!stoppingToken.IsCancellationRequested)
        {
            _metrics.RecordObservableInstruments();
            await Task.Delay(TimeSpan.FromSeconds(1), stoppingToken).ContinueWith(_ => { }, TaskScheduler.Default).ConfigureAwait(false);
        }
    }
}
