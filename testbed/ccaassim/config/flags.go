// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"flag"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/internal/flags"
)

// RegisterFlags binds every field to a flag whose default is the field's value.
func (c *Config) RegisterFlags(set *flag.FlagSet) {
	set.StringVar(&c.Listen, "listen", c.Listen, "address to listen on; port 0 takes a free one")
	set.BoolVar(&c.ListenAnywhere, "listen-anywhere", c.ListenAnywhere, "allow a --listen address that is not loopback")
	set.StringVar(&c.Advertise, "advertise", c.Advertise, "host:port that answers name as the simulator's; empty: where it listens")
	set.BoolVar(&c.TLS, "tls", c.TLS, "serve https and wss with a certificate made at start")
	set.StringVar(&c.TLSCAFile, "tls-ca-file", c.TLSCAFile, "write the certificate to trust to this PEM file")

	set.StringVar(&c.ClientID, "client-id", c.ClientID, "OAuth2 client to let in; empty lets any in")
	set.StringVar(&c.ClientSecret, "client-secret", c.ClientSecret, "secret of --client-id")
	set.Var((*flags.List)(&c.GrantedScopes), "granted-scopes", "scopes every token is granted; empty grants those that are requested")
	set.DurationVar(&c.TokenTTL, "token-ttl", c.TokenTTL, "lifetime of a token")
	set.Var((*flags.List)(&c.SupportedProtocols), "supported-protocols", "subprotocols of the pre-flight's answer, and of the upgrade")
	set.BoolVar(&c.PreflightArray, "preflight-array", c.PreflightArray, "answer the pre-flight with a bare array")

	set.StringVar(&c.AccessKey, "access-key", c.AccessKey, "access key for the password grant; empty lets any in")
	set.StringVar(&c.AccessKeySecret, "access-key-secret", c.AccessKeySecret, "secret of --access-key")
	set.BoolVar(&c.QuotedControl, "quoted-control", c.QuotedControl, "write the event hub's control frames as JSON strings, not bare")
	set.DurationVar(&c.ChannelHeartbeat, "channel-heartbeat", c.ChannelHeartbeat, "time between the heartbeats of a Notifications socket; 0: none")
	set.DurationVar(&c.BlankHeartbeat, "blank-heartbeat", c.BlankHeartbeat, "time between the blank frames of a TaskRouter socket; 0: none")
	set.IntVar(&c.Queues, "queues", c.Queues, "queues that sessions wait in")
	set.IntVar(&c.Agents, "agents", c.Agents, "agents who serve sessions, as the APIs other than the realtime events name them")
	set.IntVar(&c.SnapshotMessages, "snapshot-messages", c.SnapshotMessages, "messages that the snapshot of a conversation shows, at most")

	set.Var((*flags.List)(&c.Tenants), "tenants", "tenants")
	set.IntVar(&c.TenantCount, "tenant-count", c.TenantCount, "this many tenants with made-up names, instead of --tenants")
	set.Var((*flags.List)(&c.Regions), "regions", "regions")
	set.Var((*flags.List)(&c.ChannelTypes), "channel-types", "channel types")
	set.Float64Var(&c.Rate, "rate", c.Rate, "events per second over all sockets; 0 is --full-speed")
	set.BoolVar(&c.FullSpeed, "full-speed", c.FullSpeed, "send as fast as the sockets accept; --rate then only paces the sessions' lives")
	set.IntVar(&c.Sessions, "sessions", c.Sessions, "open sessions aimed at, and found open at the start")
	set.Float64Var(&c.SessionMessages, "session-messages", c.SessionMessages, "messages in the life of a session, on average")
	set.BoolVar(&c.Announce, "announce", c.Announce, "begin with no session open: the first --sessions events open them")
	set.Float64Var(&c.DropRate, "drop-rate", c.DropRate, "percent of closes that are abnormal")
	set.Float64Var(&c.ReconnectRate, "reconnect-rate", c.ReconnectRate, "percent of dropped connections whose user connects again, on another channel")
	set.DurationVar(&c.ReconnectWithin, "reconnect-within", c.ReconnectWithin, "time after a drop in which its user connects again, at most")
	set.BoolVar(&c.DailyShape, "daily-shape", c.DailyShape, "let the rate and the sessions follow the hours of a day")
	set.Uint64Var(&c.Seed, "seed", c.Seed, "same seed and flags, same events and frames")
	set.Int64Var(&c.Events, "events", c.Events, "stop sending after this many events; 0 never stops")
	set.DurationVar(&c.Duration, "duration", c.Duration, "stop sending after this long; 0 never stops")

	set.Var((*flags.Text)(&c.Frame), "frame", "form of a frame: object, array, lines or mixed")
	set.IntVar(&c.FrameEvents, "frame-events", c.FrameEvents, "events in a frame, at most")
	set.Var((*flags.Text)(&c.Timestamp), "timestamp", "form of timestamps: s, ms, us, ns or rfc3339")
	set.BoolVar(&c.Broadcast, "broadcast", c.Broadcast, "send every event to every socket, not to one in turn")
	set.Var((*flags.Text)(&c.Delivery), "delivery", "sockets of an API that an event goes to: turn, client (one client's, in turn) or broadcast")
	set.BoolVar(&c.Lossy, "lossy", c.Lossy, "events happen and are missed while no socket is there, instead of waiting")
	set.BoolVar(&c.Silent, "silent", c.Silent, "make no traffic")
	set.StringVar(&c.Record, "record", c.Record, "write every event and what became of it to this file, as JSON lines")
	set.DurationVar(&c.WriteTimeout, "write-timeout", c.WriteTimeout, "give a socket up that accepts nothing for this long")

	c.Trouble.RegisterFlags(set)
}
