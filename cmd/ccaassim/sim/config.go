// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
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

// Delivery is which sockets of an API get an event.
type Delivery string

// The ways of delivery.
const (
	DeliverTurn      Delivery = "turn"      // one, in turn
	DeliverClient    Delivery = "client"    // all of one client, in turn
	DeliverBroadcast Delivery = "broadcast" // all
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
	Advertise      string
	TLS            bool
	TLSCAFile      string

	ClientID           string
	ClientSecret       string
	GrantedScopes      []string
	TokenTTL           time.Duration
	SupportedProtocols []string
	PreflightArray     bool

	AccessKey        string
	AccessKeySecret  string
	QuotedControl    bool
	ChannelHeartbeat time.Duration
	BlankHeartbeat   time.Duration
	Queues           int
	Agents           int
	SnapshotMessages int

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
	Broadcast    bool // the same as DeliverBroadcast
	Delivery     Delivery
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
		ChannelHeartbeat:   30 * time.Second,
		BlankHeartbeat:     15 * time.Second,
		Queues:             4,
		Agents:             50,
		SnapshotMessages:   10,
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
		Delivery:           DeliverTurn,
		WriteTimeout:       time.Minute,
		Trouble:            DefaultTrouble(),
	}
}

func (c *Config) delivery() Delivery {
	if c.Broadcast {
		return DeliverBroadcast
	}
	return c.Delivery
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
