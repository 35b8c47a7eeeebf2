// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	lookEvery = time.Second
	// logEvery is how often the log repeats that streams drift.
	logEvery = time.Minute
)

// watch draws the conclusions once a second and tells them, until ctx ends.
func (p *driftProcessor) watch(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var r reminder
	telling := teller{p: p, due: p.now() + p.config.Interval}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now := p.now()
			p.log(p.look(now), &r, now)
			telling.tell(ctx, now)
		}
	}
}

// change is what one look found new among all streams.
type change struct {
	begun, ended, drifting summary
}

// summary stands for streams of which only one is named: all of them drift at once
// when it is our own clock that is wrong.
type summary struct {
	streams int
	worst   stream
}

func (s *summary) add(one *stream) {
	if s.streams == 0 || one.estimate.Offset.Abs() > s.worst.estimate.Offset.Abs() {
		s.worst = *one
	}
	s.streams++
}

func (s *summary) fields() []zap.Field {
	return []zap.Field{
		zap.Int("streams", s.streams),
		zap.String(wsevent.TenantID, s.worst.key.tenant),
		zap.String(wsevent.Region, s.worst.key.region),
		zap.Duration("skew", s.worst.estimate.Offset),
		zap.Duration("error", s.worst.estimate.Error),
	}
}

func (p *driftProcessor) look(now time.Duration) (c change) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.streams.forgetIdle(now)
	for _, s := range p.streams.all {
		before := s.drift.On
		s.look(now, p.config.Correct)
		switch {
		case s.drift.On && !before:
			c.begun.add(s)
		case !s.drift.On && before:
			c.ended.add(s)
		}
		if s.drift.On {
			c.drifting.add(s)
		}
	}
	return c
}

// reminder is when the log last said that streams drift.
type reminder struct{ last time.Duration }

// log says what is new, and once a minute what lasts. The stream it names is the
// worst of them.
func (p *driftProcessor) log(c change, r *reminder, now time.Duration) {
	if c.ended.streams > 0 {
		p.logger.Info("The clocks of streams are within tolerance again, or no longer seen", c.ended.fields()...)
	}
	switch {
	case c.begun.streams > 0:
		p.logger.Warn("The clocks of streams are beyond tolerance", append(c.begun.fields(), p.hostField(now)...)...)
		r.last = now
	case c.drifting.streams > 0 && now-r.last >= logEvery:
		p.logger.Warn("The clocks of streams are still beyond tolerance", append(c.drifting.fields(), p.hostField(now)...)...)
		r.last = now
	}
}

// hostField is how far our own clock is off, where that is known.
func (p *driftProcessor) hostField(now time.Duration) []zap.Field {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if offset, known := p.host.offset(now); known {
		return []zap.Field{zap.Duration("host_offset", offset)}
	}
	return nil
}

// teller sends clock records. Those of a drift's begin and end are made anew
// each second until downstream has taken them; skews just come again.
type teller struct {
	p       *driftProcessor
	due     time.Duration
	refused bool
}

func (t *teller) tell(ctx context.Context, now time.Duration) {
	due := t.isDue(now)
	news := t.p.news(now, due)
	var err error
	if news.records > 0 {
		err = t.p.next.ConsumeLogs(ctx, news.logs)
		t.logRefusal(ctx, err, news.records)
	}
	switch {
	case err == nil:
	case consumererror.IsPermanent(err):
		t.p.telemetry.DriftRefusedRecords.Add(ctx, int64(news.records))
	default:
		return // and try again with the next look
	}
	t.p.accepted(news)
	for t.isDue(now) {
		t.due += t.p.config.Interval
	}
}

// isDue rounds: looks come a little early or late.
func (t *teller) isDue(now time.Duration) bool { return now+lookEvery/2 >= t.due }

// logRefusal says that downstream has begun to refuse records, not each time.
func (t *teller) logRefusal(ctx context.Context, err error, records int) {
	if err != nil && !t.refused && ctx.Err() == nil {
		t.p.logger.Warn("Downstream refuses clock records", zap.Int("records", records), zap.Error(err))
	}
	t.refused = err != nil
}
