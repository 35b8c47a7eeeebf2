// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"
)

// FrameForm is how events stand in a frame.
type FrameForm string

// The forms of frames.
const (
	FrameObject FrameForm = "object" // one event
	FrameArray  FrameForm = "array"  // a JSON array of events
	FrameLines  FrameForm = "lines"  // events separated by newlines
	FrameMixed  FrameForm = "mixed"  // each frame of another form and size
)

// TimestampForm is how the time of an event is written.
type TimestampForm string

// The forms of timestamps: epoch in four units, and RFC 3339.
const (
	TimestampSeconds      TimestampForm = "s"
	TimestampMilliseconds TimestampForm = "ms"
	TimestampMicroseconds TimestampForm = "us"
	TimestampNanoseconds  TimestampForm = "ns"
	TimestampRFC3339      TimestampForm = "rfc3339"
)

// Subprotocols of the two platforms.
const (
	SubprotocolGenesys = "v2.realtime-events"
	SubprotocolNICE    = "nice.digital.v1"
)

// Config is everything the simulator can be told. Begin with DefaultConfig; the
// flags of the same names explain each field.
type Config struct {
	Listen         string
	ListenAnywhere bool
	TLS            bool
	TLSCAFile      string

	ClientID           string
	ClientSecret       string
	GrantedScopes      []string
	TokenTTL           time.Duration
	SupportedProtocols []string
	PreflightArray     bool

	Tenants         []string
	TenantCount     int
	Regions         []string
	ChannelTypes    []string
	Rate            float64
	FullSpeed       bool
	Sessions        int
	SessionMessages float64
	Announce        bool
	DropRate        float64
	DailyShape      bool
	Seed            uint64
	Events          int64
	Duration        time.Duration

	Frame        FrameForm
	FrameEvents  int
	Timestamp    TimestampForm
	Broadcast    bool
	Lossy        bool
	Silent       bool
	Record       string
	WriteTimeout time.Duration
	SinkLog      io.Writer // takes a line for every webhook; nil: none is written

	Trouble Trouble
}

// DefaultConfig is a small platform without trouble, on a free port of loopback.
func DefaultConfig() Config {
	return Config{
		Listen:             "127.0.0.1:0",
		TokenTTL:           time.Hour,
		SupportedProtocols: []string{SubprotocolGenesys, SubprotocolNICE},
		Tenants:            []string{"acme_corp", "globex"},
		Regions:            []string{"us-east-1", "eu-west-1"},
		ChannelTypes:       []string{"webmessaging", "whatsapp", "voice"},
		Rate:               100,
		Sessions:           200,
		SessionMessages:    18,
		DropRate:           0.5,
		Seed:               1,
		Frame:              FrameObject,
		FrameEvents:        1,
		Timestamp:          TimestampMilliseconds,
		WriteTimeout:       time.Minute,
		Trouble:            DefaultTrouble(),
	}
}

// Validate says everything that is wrong with the configuration, by flag.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateListen(),
		need(c.TokenTTL > 0, "token-ttl", c.TokenTTL, "more than 0"),
		need(c.TLS || c.TLSCAFile == "", "tls-ca-file", c.TLSCAFile, "--tls with it"),
		c.validateTraffic(),
		c.validateFrames(),
		c.Trouble.Validate(),
	)
}

func (c *Config) validateListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q: %w; want host:port", c.Listen, err)
	}
	address := net.ParseIP(host)
	loopback := host == "localhost" || address != nil && address.IsLoopback()
	if !loopback && !c.ListenAnywhere {
		return fmt.Errorf("--listen %q is not loopback; the simulator lets any client in, so say --listen-anywhere if that is meant", c.Listen)
	}
	return nil
}

func (c *Config) validateTraffic() error {
	return errors.Join(
		need(c.TenantCount >= 0, "tenant-count", c.TenantCount, "0 (use --tenants) or more"),
		need(c.TenantCount > 0 || named(c.Tenants), "tenants", c.Tenants, "names, none empty"),
		need(named(c.Regions), "regions", c.Regions, "names, none empty"),
		need(named(c.ChannelTypes), "channel-types", c.ChannelTypes, "names, none empty"),
		need(c.Rate >= 0 && c.Rate <= 1e7, "rate", c.Rate, "0 (full speed) to 1e7 events per second"),
		need(c.series() <= 1_000_000, "tenants, --regions, --channel-types", c.series(), "1000000 series at most"),
		need(c.Sessions > 0 && c.Sessions <= 20_000_000, "sessions", c.Sessions, "1 to 20000000"),
		need(c.SessionMessages >= 0, "session-messages", c.SessionMessages, "0 or more"),
		percent("drop-rate", c.DropRate),
		need(c.Events >= 0, "events", c.Events, "0 (no bound) or more"),
		need(c.Duration >= 0, "duration", c.Duration, "0 (no bound) or more"),
	)
}

func (c *Config) validateFrames() error {
	return errors.Join(
		oneOf("frame", c.Frame, FrameObject, FrameArray, FrameLines, FrameMixed),
		need(c.FrameEvents >= 1 && c.FrameEvents <= 10_000, "frame-events", c.FrameEvents, "1 to 10000"),
		need(c.Frame != FrameObject || c.FrameEvents == 1, "frame-events", c.FrameEvents, "1 with --frame object, or --frame array, lines or mixed"),
		oneOf("timestamp", c.Timestamp, TimestampSeconds, TimestampMilliseconds, TimestampMicroseconds, TimestampNanoseconds, TimestampRFC3339),
		need(!c.Lossy || !c.fullSpeed(), "lossy", c.Lossy, "a --rate: full speed without a listener would never end"),
		need(c.WriteTimeout > 0, "write-timeout", c.WriteTimeout, "more than 0"),
	)
}

func (c *Config) fullSpeed() bool { return c.FullSpeed || c.Rate == 0 }

// traffic is what the generator needs, for traffic that begins at start.
func (c *Config) traffic(start time.Time) traffic {
	t := traffic{
		rate:            c.Rate,
		sessions:        c.Sessions,
		sessionMessages: c.SessionMessages,
		dropShare:       c.DropRate / 100,
		announce:        c.Announce,
		events:          c.Events,
		crowd:           rand.New(rand.NewPCG(c.Seed, 4)),
	}
	t.series, t.weights = crossSeries(c.tenants(), c.Regions, c.ChannelTypes)
	if !c.fullSpeed() { // else it is real time, which the pump keeps
		t.duration = c.Duration
	}
	if t.rate == 0 {
		t.rate = 1000 // what traffic time is reckoned with at full speed
	}
	if c.DailyShape {
		t.shape = dailyShape(start)
	}
	return t
}

// series is the number of combinations of the dimensions.
func (c *Config) series() int {
	tenants := c.TenantCount
	if tenants == 0 {
		tenants = len(c.Tenants)
	}
	return tenants * len(c.Regions) * len(c.ChannelTypes)
}

func (c *Config) tenants() []string {
	if c.TenantCount == 0 {
		return c.Tenants
	}
	names := make([]string, c.TenantCount)
	for i := range names {
		names[i] = fmt.Sprintf("tenant_%04d", i+1)
	}
	return names
}

// need is an error that names a flag and its value unless it is as it must be.
func need(ok bool, flag string, value any, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("--%s %v: want %s", flag, value, want)
}

func oneOf[T ~string](flag string, value T, allowed ...T) error {
	return need(slices.Contains(allowed, value), flag, value, "one of "+strings.Trim(fmt.Sprint(allowed), "[]"))
}

func percent(flag string, value float64) error {
	return need(value >= 0 && value <= 100, flag, value, "0 to 100 percent")
}

func share(flag string, value float64) error {
	return need(value >= 0 && value <= 1, flag, value, "a share from 0 to 1")
}

func named(names []string) bool {
	return len(names) > 0 && !slices.Contains(names, "")
}
