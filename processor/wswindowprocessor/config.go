// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
)

// Config is the configuration of the processor. Windows are cut in event time;
// see the README for each key.
type Config struct {
	// Size is the length of a window.
	Size time.Duration `mapstructure:"size"`
	// Overlap is the part of a window that the next one covers too. A window starts
	// every size - overlap, on multiples of that from the epoch.
	Overlap time.Duration `mapstructure:"overlap"`
	// AllowedLateness is how long a window waits for events behind its end.
	AllowedLateness time.Duration `mapstructure:"allowed_lateness"`
	// IdleTimeout is the time without an event after which a stream's watermark follows
	// the wall clock.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`
	// MaxFuture is how far ahead of the wall clock an event may be to enter a window.
	MaxFuture time.Duration `mapstructure:"max_future"`
	// MaxSeries is the maximum number of sets of tenant, region and channel type.
	MaxSeries int `mapstructure:"max_series"`
	// MaxSeriesPerTenant is that of a tenant; 0 is no limit of its own.
	MaxSeriesPerTenant int `mapstructure:"max_series_per_tenant"`
	// MaxChannels is the maximum number of tracked channels.
	MaxChannels int `mapstructure:"max_channels"`
	// ChannelTTL is the time without an event after which a channel expires.
	ChannelTTL time.Duration `mapstructure:"channel_ttl"`
	// ReopenGrace is the time after its close in which a channel's events do not open it
	// again, unless they are a connection.open; by default AllowedLateness.
	ReopenGrace *time.Duration `mapstructure:"reopen_grace"`
	// SeriesIdle is the time after its last event for which a series without open
	// channels is emitted.
	SeriesIdle time.Duration `mapstructure:"series_idle"`
	// SeriesTTL is the time without open channels and events after which a series is
	// retired; 0 retires none.
	SeriesTTL time.Duration `mapstructure:"series_ttl"`
	// PassThrough forwards the event records. Without it only windows are emitted.
	PassThrough bool `mapstructure:"pass_through"`
	// Storage is the storage extension that keeps the state over restarts; without one it
	// is in memory only.
	Storage *component.ID `mapstructure:"storage"`
	// CheckpointInterval is the longest time between two checkpoints. There is also
	// one whenever a window closes.
	CheckpointInterval time.Duration `mapstructure:"checkpoint_interval"`
	// Sessions configures session records: one for each channel that closes or expires.
	Sessions SessionsConfig `mapstructure:"sessions"`
}

// SessionsConfig configures session records.
type SessionsConfig struct {
	// Enabled emits session records, and the trace ID of its session on each event record.
	Enabled bool `mapstructure:"enabled"`
	// SampleRatio is the share of sessions whose trace is made besides the exemplars, from 0
	// to 1.
	SampleRatio float64 `mapstructure:"sample_ratio"`
	// ExemplarsPerWindow is how many dropped, expired and incomplete sessions of a series
	// and window are sampled in any case.
	ExemplarsPerWindow int `mapstructure:"exemplars_per_window"`
	// RecorderEvents is how many of a session's latest events its record holds; 0 for none.
	RecorderEvents int `mapstructure:"recorder_events"`
	// Segment is the time after which an open session is reported, and a new trace of it
	// begins.
	Segment time.Duration `mapstructure:"segment"`
	// ReconnectWithin is the time after a drop in which a new session of the same user is a
	// reconnect; 0 finds none.
	ReconnectWithin time.Duration `mapstructure:"reconnect_within"`
	// UserID is what records say of the user: none, pseudonym or full.
	UserID string `mapstructure:"user_id"`
	// PseudonymKey is the key of the hash that user_id: pseudonym reports.
	PseudonymKey configopaque.String `mapstructure:"pseudonym_key"`
}

// Values of user_id.
const (
	userNone      = "none"
	userPseudonym = "pseudonym"
	userFull      = "full"
)

const (
	maxRecorderEvents     = 256
	maxExemplarsPerWindow = 100
	maxReconnectWithin    = time.Hour
	minPseudonymKey       = 16 // bytes
)

// refuse reports invalid settings of sessions.
func (c *SessionsConfig) refuse(refuse func(key string, value any, rule string)) {
	if !(c.SampleRatio >= 0 && c.SampleRatio <= 1) { // nor NaN
		refuse("sessions::sample_ratio", c.SampleRatio, "must be at least 0 and at most 1")
	}
	if c.ExemplarsPerWindow < 0 || c.ExemplarsPerWindow > maxExemplarsPerWindow {
		refuse("sessions::exemplars_per_window", c.ExemplarsPerWindow, fmt.Sprintf("must be at least 0 and at most %d", maxExemplarsPerWindow))
	}
	if c.RecorderEvents < 0 || c.RecorderEvents > maxRecorderEvents {
		refuse("sessions::recorder_events", c.RecorderEvents, fmt.Sprintf("must be at least 0 and at most %d: they are kept for each open channel", maxRecorderEvents))
	}
	if c.Segment < time.Minute {
		refuse("sessions::segment", c.Segment, "must be at least 1m")
	}
	if c.ReconnectWithin < 0 || c.ReconnectWithin > maxReconnectWithin {
		refuse("sessions::reconnect_within", c.ReconnectWithin, fmt.Sprintf("must be at least 0s and at most %v: drops are remembered for all of it", maxReconnectWithin))
	}
	switch c.UserID {
	case userNone, userFull:
	case userPseudonym:
		if len(c.PseudonymKey) < minPseudonymKey {
			refuse("sessions::pseudonym_key", fmt.Sprintf("%d bytes", len(c.PseudonymKey)), fmt.Sprintf("must be at least %d bytes with user_id: pseudonym", minPseudonymKey))
		}
	default:
		refuse("sessions::user_id", c.UserID, "must be none, pseudonym or full")
	}
}

// maxWindowsPerEvent bounds size / (size - overlap): every window that an event
// is in costs memory in every series.
const maxWindowsPerEvent = 100

var _ component.Config = (*Config)(nil)

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Validate reports all invalid settings, each with its key.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(key string, value any, rule string) {
		errs = append(errs, fmt.Errorf("%s: %v: %s", key, value, rule))
	}
	wholeMilliseconds := func(key string, value time.Duration) {
		if value%time.Millisecond != 0 {
			refuse(key, value, "must be a multiple of 1ms")
		}
	}
	wholeMilliseconds("size", c.Size)
	wholeMilliseconds("overlap", c.Overlap)
	switch {
	case c.Size < 100*time.Millisecond:
		refuse("size", c.Size, "must be at least 100ms")
	case c.Overlap < 0 || c.Overlap >= c.Size:
		refuse("overlap", c.Overlap, fmt.Sprintf("must be at least 0s and less than size (%v)", c.Size))
	case c.Size/(c.Size-c.Overlap) > maxWindowsPerEvent:
		refuse("overlap", c.Overlap, fmt.Sprintf("puts an event in more than %d windows; size - overlap must be at least %v",
			maxWindowsPerEvent, c.Size/maxWindowsPerEvent))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"allowed_lateness", c.AllowedLateness},
		{"idle_timeout", c.IdleTimeout},
		{"max_future", c.MaxFuture},
		{"series_idle", c.SeriesIdle},
	} {
		if d.value < 0 {
			refuse(d.key, d.value, "must not be negative")
		}
	}
	if c.MaxFuture > 24*time.Hour {
		refuse("max_future", c.MaxFuture, "must be at most 24h: windows are kept open for all of it")
	}
	if c.IdleTimeout > 0 && c.IdleTimeout < 100*time.Millisecond {
		refuse("idle_timeout", c.IdleTimeout, "must be 0s or at least 100ms")
	}
	if grace := c.reopenGrace(); grace < 0 || grace > maxReopenGrace {
		refuse("reopen_grace", grace, fmt.Sprintf("must be at least 0s and at most %v: closed channels are remembered for all of it", maxReopenGrace))
	}
	if c.ChannelTTL < time.Second {
		refuse("channel_ttl", c.ChannelTTL, "must be at least 1s")
	}
	if c.SeriesTTL != 0 && c.SeriesTTL < max(c.SeriesIdle, time.Minute) {
		refuse("series_ttl", c.SeriesTTL, fmt.Sprintf("must be 0s or at least 1m and series_idle (%v): a series that is reported is not retired", c.SeriesIdle))
	}
	if c.CheckpointInterval < time.Second {
		refuse("checkpoint_interval", c.CheckpointInterval, "must be at least 1s")
	}
	if c.MaxSeries < 1 {
		refuse("max_series", c.MaxSeries, "must be at least 1")
	}
	if c.MaxSeriesPerTenant < 0 {
		refuse("max_series_per_tenant", c.MaxSeriesPerTenant, "must be at least 0, which sets no limit of its own")
	}
	if c.MaxChannels < 1 {
		refuse("max_channels", c.MaxChannels, "must be at least 1")
	}
	c.Sessions.refuse(refuse)
	return errors.Join(errs...)
}

// maxReopenGrace bounds how long closed channels are kept.
const maxReopenGrace = 10 * time.Minute

// reopenGrace is ReopenGrace or its default.
func (c *Config) reopenGrace() time.Duration {
	if c.ReopenGrace == nil {
		return min(c.AllowedLateness, maxReopenGrace)
	}
	return *c.ReopenGrace
}

func (c *Config) window() window.Config {
	return window.Config{
		Size:               c.Size,
		Overlap:            c.Overlap,
		AllowedLateness:    c.AllowedLateness,
		IdleTimeout:        c.IdleTimeout,
		MaxFuture:          c.MaxFuture,
		ChannelTTL:         c.ChannelTTL,
		ReopenGrace:        c.reopenGrace(),
		SeriesIdle:         c.SeriesIdle,
		SeriesTTL:          c.SeriesTTL,
		MaxSeries:          c.MaxSeries,
		MaxSeriesPerTenant: c.MaxSeriesPerTenant,
		MaxChannels:        c.MaxChannels,
		TrackChanges:       c.Storage != nil,
		Sessions: window.SessionConfig{
			Enabled:            c.Sessions.Enabled,
			RecorderEvents:     c.Sessions.RecorderEvents,
			Segment:            c.Sessions.Segment,
			ReconnectWithin:    c.Sessions.ReconnectWithin,
			ExemplarsPerWindow: c.Sessions.ExemplarsPerWindow,
			SampleRatio:        c.Sessions.SampleRatio,
		},
	}
}
