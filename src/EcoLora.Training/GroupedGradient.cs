namespace EcoLora.Training;

/// <summary>Adds the gradient of a group's summed loss over <paramref name="divisor"/> to a gradient vector and returns the sum of its losses.</summary>
internal delegate double GroupGradient(
    LlamaPass<float> pass, Batch batch, int divisor, Span<float> gradient, DropoutMasks? dropout, CancellationToken cancellation);

/// <summary>What a step computed.</summary>
/// <param name="LossSum">Sum of the losses of the scored rows.</param>
/// <param name="Scored">Their number.</param>
/// <param name="Rows">All rows.</param>
internal readonly record struct StepLoss(double LossSum, int Scored, long Rows);

/// <summary>
/// The gradient of a step's mean loss. The step's examples are cut into groups of neighbours, which go through the model one by one or on several threads;
/// each group's gradient is computed apart and added in the order of the groups. So the bits do not depend on the number of threads, and a step's activations
/// are those of one group per thread, however many examples it has.
/// </summary>
internal sealed class GroupedGradient
{
    /// <summary>A group takes examples until it has so many rows: enough for the products to run at full speed.</summary>
    public const int GroupRows = 256;

    private readonly List<(int Start, int Count)> _groups = [];
    private readonly Worker[] _workers;
    private readonly GroupGradient _gradientOf;
    private readonly float[] _total;
    private readonly int _vocabulary;
    private double[] _losses = [];

    /// <param name="total">The step's gradient.</param>
    /// <param name="vocabulary">Tokens lie below it.</param>
    /// <param name="threads">Most threads that work on a step.</param>
    /// <param name="newPass">Makes a thread's pass.</param>
    /// <param name="gradientOf">Runs it.</param>
    public GroupedGradient(float[] total, int vocabulary, int threads, Func<LlamaPass<float>> newPass, GroupGradient gradientOf)
    {
        (_total, _vocabulary, _gradientOf) = (total, vocabulary, gradientOf);
        _workers = [.. Enumerable.Range(0, threads).Select(_ => new Worker(newPass))];
    }

    /// <summary>Writes the step's gradient to the total.</summary>
    /// <param name="examples">All examples.</param>
    /// <param name="chosen">The step's.</param>
    /// <param name="dropout">The masks of a group, or null without dropout.</param>
    /// <param name="cancellation">Honoured between layers.</param>
    /// <exception cref="ArgumentException">An example is malformed.</exception>
    public StepLoss Run(IReadOnlyList<Example> examples, ReadOnlySpan<int> chosen, Func<int, DropoutMasks>? dropout, CancellationToken cancellation)
    {
        _total.AsSpan().Clear();
        Cut(examples, chosen);
        int scored = 0;
        long rows = 0;
        foreach (int index in chosen)
        {
            scored += examples[index].AnswerTokens;
            rows += examples[index].Tokens.Length - 1;
        }
        if (_losses.Length < _groups.Count) _losses = new double[_groups.Count];
        int[] step = chosen.ToArray();
        var turns = new Turns();
        int next = -1;
        int threads = Math.Min(_workers.Length, _groups.Count);
        if (threads == 1) Work(_workers[0]);
        else WorkGroups.OnThreads(threads, threads, thread => Work(_workers[thread]), CancellationToken.None);
        double sum = 0;
        for (int group = 0; group < _groups.Count; group++) sum += _losses[group];
        return new StepLoss(sum, scored, rows);

        void Work(Worker worker)
        {
            try
            {
                for (int group = Interlocked.Increment(ref next); group < _groups.Count; group = Interlocked.Increment(ref next))
                    if (!Add(worker, group, turns, examples, step, scored, dropout?.Invoke(group), cancellation))
                        return;
            }
            catch
            {
                turns.Abandon();
                throw;
            }
        }
    }

    /// <summary>One group: its gradient apart, then added when it is its turn. False when another group failed.</summary>
    private bool Add(
        Worker worker, int group, Turns turns, IReadOnlyList<Example> examples, int[] chosen, int scored, DropoutMasks? dropout, CancellationToken cancellation)
    {
        (int start, int count) = _groups[group];
        worker.Batch.Fill(examples, chosen.AsSpan(start, count), _vocabulary);
        // The first group's gradient is the sum so far: zeros.
        float[] own = group == 0 ? _total : worker.Gradient(_total.Length);
        if (group > 0) own.AsSpan().Clear();
        _losses[group] = _gradientOf(worker.Pass, worker.Batch, scored, own, dropout, cancellation);
        if (!turns.WaitFor(group)) return false;
        if (group > 0) Numerics.VectorMath.Axpy<float>(1, own, _total);
        turns.Done();
        return true;
    }

    private void Cut(IReadOnlyList<Example> examples, ReadOnlySpan<int> chosen)
    {
        _groups.Clear();
        int start = 0, rows = 0;
        for (int i = 0; i < chosen.Length; i++)
        {
            rows += examples[chosen[i]].Tokens.Length - 1;
            if (rows < GroupRows && i < chosen.Length - 1) continue;
            _groups.Add((start, i + 1 - start));
            (start, rows) = (i + 1, 0);
        }
    }

    /// <summary>A thread's memory, made when it is first needed.</summary>
    private sealed class Worker(Func<LlamaPass<float>> newPass)
    {
        private LlamaPass<float>? _pass;
        private float[]? _gradient;

        public Batch Batch { get; } = new();

        public LlamaPass<float> Pass => _pass ??= newPass();

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
