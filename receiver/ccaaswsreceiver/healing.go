// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// inFlight is how long a close may be on its way that happened before an answer.
const inFlight = 2 * time.Second

// healOrRetry heals a gap. What could not be healed is tried again at the next round, unless
// it has more than may be asked for. At shutdown it is saved.
func (r *reconciler) healOrRetry(ctx context.Context, gap reconcile.Range) {
	failure := r.heal(ctx, gap)
	switch {
	case ctx.Err() != nil:
		return
	case failure != nil && errors.Is(failure, api.ErrTooMany):
		r.logger.Error("A gap is given up: the platform's history has more than is asked for; what was found is reconstructed", append(gapFields(gap), zap.Error(failure))...)
		failure = nil
	}
	r.gaps.ended(failure == nil)
}

// errOff is the failure of a function that is switched off.
var errOff = errors.New("the function is off")

func functionOff() *wsclient.Failure {
	return wsclient.NewFailure(wsclient.Unauthorized, true, errOff)
}

// heal asks what happened in a gap: to the channels that were open, and which others were
// opened or closed. The history lags behind: it is asked at once, when it has settled, and
// once more for the rest.
func (r *reconciler) heal(ctx context.Context, gap reconcile.Range) *wsclient.Failure {
	if r.history.Between == nil {
		return r.relist(ctx, gap)
	}
	var result reconcile.Result
	var failure *wsclient.Failure
	_ = r.lookup(ctx, gap, &result) // once more below
	for _, final := range []bool{false, true} {
		before := result
		if wait := time.Until(time.Unix(0, gap.To).Add(r.set.Settle)); final {
			pause.For(ctx, r.set.Settle)
		} else {
			pause.For(ctx, wait)
		}
		if failure = r.between(ctx, gap, &result); failure == nil {
			failure = r.lookup(ctx, gap, &result)
		}
		if ctx.Err() != nil {
			return failure
		}
		if failure == nil && (!final || result != before) {
			r.healed(gap, &result, wsevent.HealedMessages)
		}
	}
	return failure
}

// relist asks again for the channels that are open, where the platform has no history: one
// that was open when the gap began, and is not in a complete list, has ended. When is not
// known: at the end of the gap, at the latest.
func (r *reconciler) relist(ctx context.Context, gap reconcile.Range) *wsclient.Failure {
	if r.off[api.AskPresent] {
		return functionOff()
	}
	pause.For(ctx, time.Until(time.Unix(0, gap.To).Add(r.set.Settle)))
	var result reconcile.Result
	asked := time.Now()
	unlisted, failure := r.history.Present(ctx, r.ask, r.apply(gap, &result))
	if failure != nil {
		r.failed(ctx, api.AskPresent, failure)
		return failure
	}
	if unlisted > 0 {
		r.logger.Warn("The platform does not list all channels that are open; the gap stays open until it does",
			append(gapFields(gap), zap.Int64("missing", unlisted))...)
		return wsclient.NewFailure(wsclient.BadAnswer, false, errors.New("the list is not complete"))
	}
	pause.For(ctx, inFlight)
	r.mutex.Lock()
	lists := r.channels.Lists(asked, time.Unix(0, gap.To))
	r.mutex.Unlock()
	if ctx.Err() != nil {
		return wsclient.NewFailure(wsclient.Shutdown, false, ctx.Err())
	}
	if !lists {
		r.logger.Warn("The list of open channels does not have most of those that events are of; no channel is closed by it. Check session::initial_state", gapFields(gap)...)
		return wsclient.NewFailure(wsclient.BadAnswer, false, errors.New("the list is of other channels"))
	}
	r.drop(time.Unix(0, gap.To), time.Unix(0, gap.To), &result)
	r.healed(gap, &result, wsevent.HealedMessages, wsevent.HealedShortConnections)
	return nil
}

// healed reports a gap of which all is known but some.
func (r *reconciler) healed(gap reconcile.Range, result *reconcile.Result, unknown ...string) {
	r.logger.Info("Gap healed", append(gapFields(gap),
		zap.Int("opened", result.Opened), zap.Int("closed", result.Closed), zap.Int("present", result.Present))...)
	r.target.emitHealed(gap, result, unknown)
}

func gapFields(gap reconcile.Range) []zap.Field {
	return []zap.Field{zap.Time("from", time.Unix(0, gap.From)), zap.Time("to", time.Unix(0, gap.To))}
}

// lookup asks for the channels that were open when a gap began and have been silent since.
func (r *reconciler) lookup(ctx context.Context, gap reconcile.Range, result *reconcile.Result) *wsclient.Failure {
	if r.history.Lookup == nil || r.off[api.AskLookup] {
		return functionOff()
	}
	r.mutex.Lock()
	names := r.channels.Silent(time.Unix(0, gap.To))
	r.mutex.Unlock()
	failure := r.history.Lookup(ctx, r.ask, names, r.apply(gap, result))
	if failure != nil {
		r.failed(ctx, api.AskLookup, failure)
	}
	return failure
}

func (r *reconciler) between(ctx context.Context, gap reconcile.Range, result *reconcile.Result) *wsclient.Failure {
	if r.off[api.AskBetween] {
		return functionOff()
	}
	settled := time.Now().Add(-r.set.Settle)
	failure := r.history.Between(ctx, r.ask, time.Unix(0, gap.From), settled, r.apply(gap, result))
	if failure != nil {
		r.failed(ctx, api.AskBetween, failure)
	}
	return failure
}

// gaps are the gaps of a receiver. The connections add them, the reconciler heals them, and
// saving reads them.
type gaps struct {
	mutex sync.Mutex
	*reconcile.Gaps
	up      time.Time // of the first connection
	changed chan struct{}
}

// connected records a connection that is up.
func (g *gaps) connected(connection int, at time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Connected(connection, at)
	if g.up.IsZero() {
		g.up = at
	}
	g.signal()
}

// lost records a connection without a socket.
func (g *gaps) lost(connection int, since time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Lost(connection, since)
}

// restore records since when a restored state misses events.
func (g *gaps) restore(since time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Restore(since)
}

// add records a gap.
func (g *gaps) add(from, to time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Add(from, to)
	g.signal()
}

func (g *gaps) signal() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// take returns the gap that is to be healed, if there is one.
func (g *gaps) take(now time.Time) (gap reconcile.Range, open bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.Take(now)
}

// ended records the result of healing it.
func (g *gaps) ended(healed bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.Ended(healed)
}

// retry makes those that could not be healed wait again. It returns what is given up.
func (g *gaps) retry(now time.Time) reconcile.Range {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.Retry(now)
}

// unhealed returns since when events may be missing.
func (g *gaps) unhealed(now time.Time) time.Time {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.Unhealed(now)
}

// first waits for the first connection.
func (g *gaps) first(ctx context.Context) (time.Time, bool) {
	for {
		g.mutex.Lock()
		up := g.up
		g.mutex.Unlock()
		if !up.IsZero() {
			return up, true
		}
		select {
		case <-ctx.Done():
			return up, false
		case <-g.changed:
		}
	}
}

// emitHealed emits stream.healed for a gap.
func (c *connection) emitHealed(gap reconcile.Range, result *reconcile.Result, unknown []string) {
	now := time.Now()
	for _, one := range c.streams.current(now) {
		c.batcher.stream(wsevent.StreamHealed, one, now, func(record plog.LogRecord) {
			record.Attributes().PutInt(wsevent.GapStart, gap.From/int64(time.Millisecond))
			record.Attributes().PutInt(wsevent.GapEnd, gap.To/int64(time.Millisecond))
			record.Attributes().PutInt(wsevent.HealedOpened, int64(result.Opened+result.Present))
			record.Attributes().PutInt(wsevent.HealedClosed, int64(result.Closed))
			list := record.Attributes().PutEmptySlice(wsevent.HealedUnknown)
			for _, one := range unknown {
				list.AppendEmpty().SetStr(one)
			}
		})
	}
}
