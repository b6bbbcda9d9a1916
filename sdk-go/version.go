package vexfs

// Version is the release of this SDK; the user agent is "vexfs-go/" and this.
const Version = "0.1.0"
