//! Proves a family's composition equal to its original implementation, and says what differs first where it is not.
