// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package config holds the settings of the simulator: their defaults, flags and checks.
package config

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
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

// Config holds all settings of the simulator. Begin with Default; the
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
	ReconnectRate   float64
	ReconnectWithin time.Duration
	DailyShape      bool
	Seed            uint64
	Events          int64
	Duration        time.Duration

	Frame        traffic.FrameForm
	FrameEvents  int
	Timestamp    TimestampForm
	Broadcast    bool // the same as DeliverBroadcast
	Delivery     Delivery
	Lossy        bool
	Silent       bool
	Record       string
	WriteTimeout time.Duration
	SinkLog      io.Writer // takes a line for every webhook; nil: none is written

	Trouble fault.Trouble
}

// Default is a small platform without trouble, on a free port of loopback.
func Default() Config {
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
		ReconnectWithin:    2 * time.Minute,
		Seed:               1,
		Frame:              traffic.FrameObject,
		FrameEvents:        1,
		Timestamp:          TimestampMilliseconds,
		Delivery:           DeliverTurn,
		WriteTimeout:       time.Minute,
		Trouble:            fault.DefaultTrouble(),
	}
}

// Deliver is the way of delivery, by --delivery or --broadcast.
func (c *Config) Deliver() Delivery {
	if c.Broadcast {
		return DeliverBroadcast
	}
	return c.Delivery
}

// Unpaced reports that events are sent as fast as the sockets accept them.
func (c *Config) Unpaced() bool { return c.FullSpeed || c.Rate == 0 }

// Traffic is what the generator needs, for traffic that begins at start.
func (c *Config) Traffic(start time.Time) traffic.Config {
	t := traffic.Config{
		Rate:            c.Rate,
		Sessions:        c.Sessions,
		SessionMessages: c.SessionMessages,
		DropShare:       c.DropRate / 100,
		ReconnectShare:  c.ReconnectRate / 100,
		ReconnectWithin: c.ReconnectWithin,
		Announce:        c.Announce,
		Events:          c.Events,
		Crowd:           rand.New(rand.NewPCG(c.Seed, 4)),
		Reconnects:      rand.New(rand.NewPCG(c.Seed, 5)),
	}
	t.Series, t.Weights = traffic.CrossSeries(c.TenantNames(), c.Regions, c.ChannelTypes)
	if !c.Unpaced() { // else it is real time, which the pump keeps
		t.Duration = c.Duration
	}
	if t.Rate == 0 {
		t.Rate = 1000 // what traffic time is reckoned with at full speed
	}
	if c.DailyShape {
		t.Shape = traffic.DailyShape(start)
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

// TenantNames are the tenants, by --tenants or --tenant-count.
func (c *Config) TenantNames() []string {
	if c.TenantCount == 0 {
		return c.Tenants
	}
	names := make([]string, c.TenantCount)
	for i := range names {
		names[i] = fmt.Sprintf("tenant_%04d", i+1)
	}
	return names
}
