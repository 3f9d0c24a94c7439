//! temp
use memberd_search::*;
struct O(u64);
impl Output for O { fn lines(&mut self,b:&[u8])->Result<(),Stopped>{self.0+=b.len() as u64;Ok(())} fn message(&mut self,t:String)->Result<(),Stopped>{eprintln!("{t}");Ok(())}}
fn main(){
 let a:Vec<String>=std::env::args().collect();
 let files=Offer::new(&[&a[1]]).unwrap().files(&Narrow::default());
 for (name,print,color,n) in [("-c",Print::Count,false,false),("lines",Print::Lines,false,false),("-n",Print::Lines,false,true),("-o",Print::Matches,false,false),("color",Print::Lines,true,false)] {
  let q=Query{patterns:vec![a[2].clone()],syntax:Syntax::Extended,print,color,line_numbers:n,words:a.len()>3,..Query::default()};
  let t=std::time::Instant::now(); let s=q.compile().unwrap(); let c=t.elapsed();
  let mut o=O(0);
  let mut best=std::time::Duration::MAX; let mut tt=Totals::default();
  for _ in 0..3 { o.0=0; tt=s.run("m1",&files.files,&mut o,&Default::default()); best=best.min(tt.elapsed);} 
  println!("{name}: compile {c:?} run {best:?} lines {} out {}",tt.lines,o.0);
 }
}
