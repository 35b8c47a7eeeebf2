// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

const (
	// unusedWarning is the time from the first event to the check of types and fields.
	unusedWarning = time.Minute
	// unusedMinEvents is the number of events below which the check is postponed.
	unusedMinEvents = 100
)

// warnUnused logs once which entries of the configured types and fields have matched
// none of a connection's events.
func (r *wsReceiver) warnUnused(number int, decoder *jsonevent.Decoder, next api.Decode) api.Decode {
	if fields, types := r.config.Fields, r.config.Types; len(types) == 0 && fields == jsonevent.DefaultFields() {
		return next // nothing is configured
	}
	var since time.Time // arrival of the first event
	checked := false
	return func(text []byte, at time.Time, to jsonevent.Sink) {
		next(text, at, to)
		if checked || decoder.Events() == 0 {
			return
		}
		if since.IsZero() {
			since = at
		}
		if decoder.Events() < unusedMinEvents || at.Sub(since) < unusedWarning {
			return
		}
		checked = true
		var entries []string
		for _, one := range decoder.Unused() {
			entry := fmt.Sprintf("%s: 0 of %d events", one.Key, one.Events)
			if one.Path != "" {
				entry = fmt.Sprintf("%s: %s: 0 of %d events", one.Key, one.Path, one.Events)
			}
			entries = append(entries, entry)
		}
		if len(entries) > 0 {
			r.set.Logger.Warn("Entries of types or fields have matched no event so far; compare them with the frames",
				zap.Int("connection", number), zap.Strings("entries", entries), zap.Duration("for", at.Sub(since)))
		}
	}
}
