namespace EcoLora.Training;

/// <summary>Adds the gradient of a group's summed loss over <paramref name="divisor"/> to a gradient vector and returns the sum of its losses.</summary>
internal delegate double GroupGradient<TPass>(
    TPass pass, Batch batch, int divisor, Span<float> gradient, DropoutMasks? dropout, CancellationToken cancellation);

/// <summary>What a step minimises: a mean over the scored rows of its examples, or over its pairs.</summary>
/// <param name="OfPairs">The examples 2i and 2i + 1 are one item, go through the model in the same group, and count as one term.</param>
/// <param name="GradientOf">A group's part.</param>
internal sealed record Objective<TPass>(bool OfPairs, GroupGradient<TPass> GradientOf)
{
    /// <summary>Neighbouring examples that are one item.</summary>
    public int Together => OfPairs ? 2 : 1;
}

/// <summary>What a step computed.</summary>
/// <param name="LossSum">Sum of the losses of the scored rows, or of the pairs.</param>
/// <param name="Terms">Their number.</param>
/// <param name="Rows">All rows.</param>
internal readonly record struct StepLoss(double LossSum, int Terms, long Rows);

/// <summary>
/// The gradient of a step's mean loss. The step's examples are cut into groups of neighbours, which go through the model one by one or on several threads;
/// each group's gradient is computed apart and added in the order of the groups. So the bits do not depend on the number of threads, and a step's activations
/// are those of one group per thread, however many examples it has.
/// </summary>
internal sealed class GroupedGradient<TPass>
    where TPass : class
{
    private readonly List<(int Start, int Count)> _groups = [];
    private readonly Worker[] _workers;
    private readonly float[] _total;
    private readonly int _vocabulary, _groupRows;
    private double[] _losses = [];

    /// <param name="total">The step's gradient.</param>
    /// <param name="vocabulary">Tokens lie below it.</param>
    /// <param name="threads">Most threads that work on a step.</param>
    /// <param name="groupRows">A group takes examples until it has so many rows.</param>
    /// <param name="newPass">Makes a thread's pass.</param>
    public GroupedGradient(float[] total, int vocabulary, int threads, int groupRows, Func<TPass> newPass)
    {
        (_total, _vocabulary, _groupRows) = (total, vocabulary, groupRows);
        _workers = [.. Enumerable.Range(0, threads).Select(_ => new Worker(newPass))];
    }

    /// <summary>Writes the step's gradient to the total.</summary>
    /// <param name="objective">What it is the gradient of.</param>
    /// <param name="examples">All examples.</param>
    /// <param name="items">The step's items.</param>
    /// <param name="dropout">The masks of a group by its first example among the step's, or null without dropout.</param>
    /// <param name="cancellation">Honoured between layers.</param>
    /// <exception cref="ArgumentException">An example is malformed.</exception>
    public StepLoss Run(
        Objective<TPass> objective, IReadOnlyList<Example> examples, ReadOnlySpan<int> items, Func<int, DropoutMasks>? dropout, CancellationToken cancellation)
    {
        _total.AsSpan().Clear();
        int together = objective.Together;
        int[] step = new int[items.Length * together];
        for (int i = 0; i < step.Length; i++) step[i] = items[i / together] * together + i % together;
        Cut(examples, step, together);
        int terms = objective.OfPairs ? items.Length : step.Sum(index => examples[index].AnswerTokens);
        long rows = step.Sum(index => (long)examples[index].Tokens.Length - 1);
        if (_losses.Length < _groups.Count) _losses = new double[_groups.Count];
        var turns = new Turns();
        int next = -1;
        int threads = Math.Min(_workers.Length, _groups.Count);
        if (threads == 1) Work(_workers[0]);
        else WorkGroups.OnThreads(threads, threads, thread => Work(_workers[thread]), CancellationToken.None);
        double sum = 0;
        for (int group = 0; group < _groups.Count; group++) sum += _losses[group];
        return new StepLoss(sum, terms, rows);

        void Work(Worker worker)
        {
            try
            {
                for (int group = Interlocked.Increment(ref next); group < _groups.Count; group = Interlocked.Increment(ref next))
                    if (!Add(worker, group, turns, examples, step, Gradient, dropout?.Invoke(_groups[group].Start)))
                        return;
            }
            catch
            {
                turns.Abandon();
                throw;
            }
        }

        double Gradient(Worker worker, float[] own, DropoutMasks? masks) =>
            objective.GradientOf(worker.Pass, worker.Batch, terms, own, masks, cancellation);
    }

    /// <summary>One group: its gradient apart, then added when it is its turn. False when another group failed.</summary>
    private bool Add(
        Worker worker, int group, Turns turns, IReadOnlyList<Example> examples, int[] chosen, Func<Worker, float[], DropoutMasks?, double> gradientOf,
        DropoutMasks? dropout)
    {
        (int start, int count) = _groups[group];
        worker.Batch.Fill(examples, chosen.AsSpan(start, count), _vocabulary);
        // The first group's gradient is the sum so far: zeros.
        float[] own = group == 0 ? _total : worker.Gradient(_total.Length);
        if (group > 0) own.AsSpan().Clear();
        _losses[group] = gradientOf(worker, own, dropout);
        if (!turns.WaitFor(group)) return false;
        if (group > 0) Numerics.VectorMath.Axpy<float>(1, own, _total);
        turns.Done();
        return true;
    }

    private void Cut(IReadOnlyList<Example> examples, ReadOnlySpan<int> chosen, int together)
    {
        _groups.Clear();
        int start = 0, rows = 0;
        for (int i = 0; i < chosen.Length; i++)
        {
            rows += examples[chosen[i]].Tokens.Length - 1;
            if ((rows < _groupRows || (i + 1) % together > 0) && i < chosen.Length - 1) continue;
            _groups.Add((start, i + 1 - start));
            (start, rows) = (i + 1, 0);
        }
    }

    /// <summary>A thread's memory, made when it is first needed.</summary>
    private sealed class Worker(Func<TPass> newPass)
    {
        private TPass? _pass;
        private float[]? _gradient;

        public Batch Batch { get; } = new();

        public TPass Pass => _pass ??= newPass();

        public float[] Gradient(int length) => _gradient ??= new float[length];
    }

    /// <summary>Lets the groups add in their order.</summary>
    private sealed class Turns
    {
        private readonly object _gate = new();
        private int _done;
        private bool _failed;

        /// <summary>Returns when all groups before this one have added; false when one of them never will.</summary>
        public bool WaitFor(int group)
        {
            lock (_gate)
            {
                while (_done < group && !_failed) Monitor.Wait(_gate);
                return !_failed;
            }
        }

        public void Done()
        {
            lock (_gate)
            {
                _done++;
                Monitor.PulseAll(_gate);
            }
        }

        public void Abandon()
        {
            lock (_gate)
            {
                _failed = true;
                Monitor.PulseAll(_gate);
            }
        }
    }
}
